//! The methods of the exchange class.

use crate::broker::keys::ChannelKey;
use crate::broker::model::{Access, Destination, RESERVED_PREFIX, alternate, check_declare, check_delete, entity_name};
use crate::broker::state::State;
use crate::broker::words::Refusal;
use crate::protocol::exchange;
use crate::wire::ShortString;

impl State {
    pub(super) fn exchange_declare(&mut self, key: ChannelKey, declare: &exchange::Declare) -> Result<(), Refusal> {
        check_declare(declare)?;
        if !declare.passive {
            let name = entity_name(&declare.exchange);
            self.allow_exchange(key, Access::Configure, &name)?;
            let new = self.host(key)?.exchange(&name).is_none() && !name.as_bytes().starts_with(RESERVED_PREFIX);
            if let Some(alternate) = alternate(&declare.arguments).filter(|_| new) {
                self.allow_exchange(key, Access::Read, &name)?;
                self.allow_exchange(key, Access::Write, &alternate)?;
            }
        }
        self.host_mut(key)?.declare_exchange(declare)?;
        self.reply(key, declare.no_wait, &exchange::DeclareOk::default());
        Ok(())
    }

    pub(super) fn exchange_delete(&mut self, key: ChannelKey, delete: &exchange::Delete) -> Result<(), Refusal> {
        let name = entity_name(&delete.exchange);
        check_delete(&name, &self.virtual_host_name(key))?;
        self.allow_exchange(key, Access::Configure, &name)?;
        self.host_mut(key)?.delete_exchange(&name, delete.if_unused)?;
        self.reply(key, delete.no_wait, &exchange::DeleteOk::default());
        Ok(())
    }

    pub(super) fn exchange_bind(&mut self, key: ChannelKey, bind: &exchange::Bind) -> Result<(), Refusal> {
        let (source, name) = (entity_name(&bind.source), entity_name(&bind.destination));
        self.allow_exchange_binding(key, &name, &source)?;
        let destination = Destination::Exchange(name);
        let host = self.host_mut(key)?;
        host.check_bind(&source, &destination, &bind.arguments)?;
        host.bind(&source, &destination, &bind.routing_key, &bind.arguments)?;
        self.reply(key, bind.no_wait, &exchange::BindOk::default());
        Ok(())
    }

    pub(super) fn exchange_unbind(&mut self, key: ChannelKey, unbind: &exchange::Unbind) -> Result<(), Refusal> {
        let (source, name) = (entity_name(&unbind.source), entity_name(&unbind.destination));
        self.allow_exchange_binding(key, &name, &source)?;
        let destination = Destination::Exchange(name);
        self.host_mut(key)?.unbind(&source, &destination, &unbind.routing_key, &unbind.arguments)?;
        self.reply(key, unbind.no_wait, &exchange::UnbindOk::default());
        Ok(())
    }

    /// Checks write permission for the destination and read permission for the source. The default
    /// exchange is refused by a later check.
    fn allow_exchange_binding(
        &self,
        key: ChannelKey,
        destination: &ShortString,
        source: &ShortString,
    ) -> Result<(), Refusal> {
        self.allow_exchange(key, Access::Write, destination)?;
        if source.is_empty() || destination.is_empty() {
            Ok(())
        } else {
            self.allow_exchange(key, Access::Read, source)
        }
    }
}

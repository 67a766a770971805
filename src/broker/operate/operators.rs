//! Operations of operators: users, permissions, virtual hosts.

use crate::broker::keys::ConnectionId;
use crate::broker::model::{Permissions, VirtualHost};
use crate::broker::session::Phase;
use crate::broker::settings::User;
use crate::broker::state::State;
use crate::protocol::ReplyCode;
use crate::wire::ShortString;

impl State {
    /// Adds a user, without permissions for any virtual host, or changes the password of an
    /// existing user.
    pub fn add_user(&mut self, name: impl Into<String>, password: impl Into<String>) {
        let password = password.into();
        let user = self.users.entry(name.into()).or_insert_with(|| User::new(String::new()));
        user.password = password;
    }

    /// Removes a user. As in RabbitMQ, the user's connections are closed.
    pub fn delete_user(&mut self, name: &str) {
        if self.users.remove(name).is_none() {
            return;
        }
        let text = format!("CONNECTION_FORCED - user '{name}' is deleted");
        self.force_closed(&text, |connection| connection.user == *name);
    }

    /// Sets a user's permissions in a virtual host, which the user may then open. Returns `false`
    /// if there is no such user.
    pub fn set_permissions(&mut self, user: &str, virtual_host: impl Into<String>, permissions: Permissions) -> bool {
        let user = self.users.get_mut(user);
        user.map(|user| user.permissions.insert(virtual_host.into(), permissions)).is_some()
    }

    /// Removes a user's permissions in a virtual host, which the user may then no longer open.
    pub fn clear_permissions(&mut self, user: &str, virtual_host: &str) {
        if let Some(user) = self.users.get_mut(user) {
            user.permissions.remove(virtual_host);
        }
    }

    /// Adds a virtual host with its predeclared exchanges, unless there is one with that name.
    pub fn add_virtual_host(&mut self, name: impl Into<ShortString>) {
        let name = name.into();
        self.virtual_hosts.entry(name.clone()).or_insert_with(|| VirtualHost::new(name));
    }

    /// Deletes a virtual host with everything in it. Its consumers are cancelled, and then the
    /// connections to it are closed.
    pub fn delete_virtual_host(&mut self, name: &str) {
        let inside = self.queues.iter().filter(|(_, hosted)| hosted.virtual_host == *name).map(|(&id, _)| id);
        let inside: Vec<_> = inside.collect();
        inside.into_iter().for_each(|queue| self.remove_queue(queue, self.now));
        let text = format!("CONNECTION_FORCED - vhost '{name}' is deleted");
        let closed = self.force_closed(&text, |connection| connection.virtual_host == *name);
        // RabbitMQ does not wait for an answer here.
        closed.into_iter().for_each(|connection| self.finish(connection, self.now));
        self.virtual_hosts.remove(&ShortString::from(name));
        for user in self.users.values_mut() {
            user.permissions.remove(name);
        }
        self.settle(self.now);
    }

    fn force_closed(
        &mut self,
        text: &str,
        mut whose: impl FnMut(&crate::broker::session::Connection) -> bool,
    ) -> Vec<ConnectionId> {
        let found =
            self.connections.iter().filter(|(_, connection)| connection.phase == Phase::Running && whose(connection));
        let found: Vec<ConnectionId> = found.map(|(&id, _)| id).collect();
        for &id in &found {
            self.close_connection(id, ReplyCode::CONNECTION_FORCED, text);
        }
        found
    }
}

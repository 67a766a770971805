//! A JSON object into a field table.

use std::fmt;

use crate::wire::{FieldTable, FieldValue, MAX_NESTING};

/// Why a text is no JSON object.
#[derive(Debug, PartialEq)]
pub(in crate::config) struct JsonError {
    /// Octets before the place.
    offset: usize,
    problem: &'static str,
}

impl fmt::Display for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at octet {}", self.problem, self.offset)
    }
}

/// Reads an object and nothing else.
pub(in crate::config) fn read(text: &str) -> Result<FieldTable, JsonError> {
    let mut parser = Parser { text, offset: 0 };
    parser.skip_space();
    parser.expect('{', "an object is expected")?;
    let table = parser.object(MAX_NESTING)?;
    parser.skip_space();
    if parser.rest().is_empty() { Ok(table) } else { Err(parser.error("something follows the object")) }
}

struct Parser<'a> {
    text: &'a str,
    offset: usize,
}

impl<'a> Parser<'a> {
    fn rest(&self) -> &'a str {
        self.text.get(self.offset..).unwrap_or_default()
    }

    fn error(&self, problem: &'static str) -> JsonError {
        JsonError { offset: self.offset, problem }
    }

    fn skip_space(&mut self) {
        let rest = self.rest();
        self.offset += rest.len() - rest.trim_start_matches([' ', '\t', '\r', '\n']).len();
    }

    /// Takes this character, if it is next.
    fn take(&mut self, wanted: char) -> bool {
        let found = self.rest().starts_with(wanted);
        if found {
            self.offset += wanted.len_utf8();
        }
        found
    }

    fn expect(&mut self, wanted: char, problem: &'static str) -> Result<(), JsonError> {
        if self.take(wanted) { Ok(()) } else { Err(self.error(problem)) }
    }

    /// What follows a `{`. `depth` is how many levels may still be opened, this one included.
    fn object(&mut self, depth: usize) -> Result<FieldTable, JsonError> {
        let depth = depth.checked_sub(1).ok_or_else(|| self.error("too many levels"))?;
        let mut table = FieldTable::new();
        self.skip_space();
        if self.take('}') {
            return Ok(table);
        }
        loop {
            self.skip_space();
            let start = self.offset;
            self.expect('"', "a name in quotes is expected")?;
            let name = self.string()?;
            self.skip_space();
            self.expect(':', "`:` is expected")?;
            let value = self.value(depth)?;
            if table.insert(name, value).is_some() {
                return Err(JsonError { offset: start, problem: "a name comes a second time" });
            }
            self.skip_space();
            if self.take('}') {
                return Ok(table);
            }
            self.expect(',', "`,` or `}` is expected")?;
        }
    }

    /// What follows a `[`.
    fn array(&mut self, depth: usize) -> Result<Vec<FieldValue>, JsonError> {
        let depth = depth.checked_sub(1).ok_or_else(|| self.error("too many levels"))?;
        let mut values = Vec::new();
        self.skip_space();
        if self.take(']') {
            return Ok(values);
        }
        loop {
            values.push(self.value(depth)?);
            self.skip_space();
            if self.take(']') {
                return Ok(values);
            }
            self.expect(',', "`,` or `]` is expected")?;
        }
    }

    fn value(&mut self, depth: usize) -> Result<FieldValue, JsonError> {
        self.skip_space();
        match self.rest().chars().next() {
            Some('{') if self.take('{') => self.object(depth).map(FieldValue::Table),
            Some('[') if self.take('[') => self.array(depth).map(FieldValue::Array),
            Some('"') if self.take('"') => self.string().map(FieldValue::from),
            Some('-' | '0'..='9') => self.number(),
            _ => self.word(),
        }
    }

    fn word(&mut self) -> Result<FieldValue, JsonError> {
        let words = [("true", FieldValue::Bool(true)), ("false", FieldValue::Bool(false)), ("null", FieldValue::Void)];
        let found = words.into_iter().find(|(word, _)| self.rest().starts_with(word));
        let (word, value) = found.ok_or_else(|| self.error("a value is expected"))?;
        self.offset += word.len();
        Ok(value)
    }

    fn number(&mut self) -> Result<FieldValue, JsonError> {
        let rest = self.rest();
        let end = rest.find(|next: char| !next.is_ascii_digit() && !"+-.eE".contains(next)).unwrap_or(rest.len());
        let text = rest.get(..end).unwrap_or_default();
        if !is_number(text) {
            return Err(self.error("this is not how a number is written"));
        }
        let value = if text.contains(['.', 'e', 'E']) {
            text.parse().ok().filter(|value: &f64| value.is_finite()).map(FieldValue::F64)
        } else {
            text.parse().ok().map(FieldValue::I64)
        };
        let value = value.ok_or_else(|| self.error("this number is too large"))?;
        self.offset += end;
        Ok(value)
    }

    /// What follows a quote, to the next one.
    fn string(&mut self) -> Result<String, JsonError> {
        let mut string = String::new();
        loop {
            let rest = self.rest();
            let end = rest.find(|next: char| next == '"' || next == '\\' || next < ' ').unwrap_or(rest.len());
            string.push_str(rest.get(..end).unwrap_or_default());
            self.offset += end;
            if self.take('"') {
                return Ok(string);
            }
            self.expect('\\', "a closing quote, or an escape for a control character, is expected")?;
            string.push(self.escape()?);
        }
    }

    /// What follows a backslash.
    fn escape(&mut self) -> Result<char, JsonError> {
        let error = self.error("this escape is not JSON's");
        let escape = self.rest().chars().next().ok_or(error)?;
        let meant = match escape {
            '"' | '\\' | '/' => escape,
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'u' => return self.unicode_escape(),
            _ => return Err(self.error("this escape is not JSON's")),
        };
        self.offset += 1;
        Ok(meant)
    }

    /// `uXXXX`, or a pair of them where the first is half a character.
    fn unicode_escape(&mut self) -> Result<char, JsonError> {
        let error = self.error("this escape is not a character");
        let high = self.unicode_unit()?;
        let mut units = vec![high];
        if (0xD800..0xDC00).contains(&high) && self.take('\\') {
            units.push(self.unicode_unit()?);
        }
        let mut characters = char::decode_utf16(units);
        match (characters.next(), characters.next()) {
            (Some(Ok(character)), None) => Ok(character),
            _ => Err(error),
        }
    }

    fn unicode_unit(&mut self) -> Result<u16, JsonError> {
        self.expect('u', "the other half of a character is expected")?;
        let digits = self.rest().get(..4).filter(|digits| digits.bytes().all(|octet| octet.is_ascii_hexdigit()));
        let unit = digits.and_then(|digits| u16::from_str_radix(digits, 16).ok());
        let unit = unit.ok_or_else(|| self.error("four hexadecimal digits are expected"))?;
        self.offset += 4;
        Ok(unit)
    }
}

/// JSON's grammar of numbers, which is narrower than what Rust reads.
fn is_number(text: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|octet| octet.is_ascii_digit());
    let text = text.strip_prefix('-').unwrap_or(text);
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let (integer, fraction) = mantissa.split_once('.').unwrap_or((mantissa, "0"));
    let exponent = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
    digits(integer) && digits(fraction) && digits(exponent) && (integer == "0" || !integer.starts_with('0'))
}

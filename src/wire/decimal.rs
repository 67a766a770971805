//! Decimal numbers, which occur only as field values.

use std::fmt;

/// A decimal number: `value` with the decimal point moved `scale` digits to the left (AMQP 0-9-1
/// §4.2.1, `decimal-value`).
///
/// Equality compares both fields, as on the wire: `1.0` and `1` differ.
///
/// ```
/// use leveret::wire::Decimal;
///
/// assert_eq!(Decimal { scale: 2, value: 314 }.to_string(), "3.14");
/// assert_eq!(Decimal { scale: 2, value: -5 }.to_string(), "-0.05");
/// ```
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(::serde::Serialize, ::serde::Deserialize))]
pub struct Decimal {
    /// The number of digits after the decimal point.
    pub scale: u8,
    /// The number without its decimal point.
    pub value: i32,
}

impl Decimal {
    /// Makes `value` with `scale` digits after the decimal point.
    pub const fn new(scale: u8, value: i32) -> Self {
        Self { scale, value }
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scale = usize::from(self.scale);
        // Padded with zeros, so that at least one digit is before the point.
        let digits = format!("{:0width$}", self.value.unsigned_abs(), width = scale + 1);
        let (whole, fraction) = digits.split_at(digits.len() - scale);
        let point = if scale == 0 { "" } else { "." };
        f.pad_integral(self.value >= 0, "", &format!("{whole}{point}{fraction}"))
    }
}

impl fmt::Debug for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Decimal({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decimal_prints_its_digits_around_the_point() {
        let printed = |scale, value| Decimal::new(scale, value).to_string();
        assert_eq!(printed(0, 0), "0");
        assert_eq!(printed(0, 42), "42");
        assert_eq!(printed(1, 42), "4.2");
        assert_eq!(printed(2, 42), "0.42");
        assert_eq!(printed(4, 42), "0.0042");
        assert_eq!(printed(2, 300), "3.00");
        assert_eq!(printed(1, -5), "-0.5");
        assert_eq!(printed(2, i32::MIN), "-21474836.48");
        assert_eq!(printed(0, i32::MAX), "2147483647");
        assert_eq!(printed(255, 1), format!("0.{}1", "0".repeat(254)));
    }

    #[test]
    fn a_decimal_fills_the_width_it_is_given() {
        assert_eq!(format!("{:>7}", Decimal::new(2, -314)), "  -3.14");
        assert_eq!(format!("{:07}", Decimal::new(2, -314)), "-003.14");
    }

    #[test]
    fn its_notation_names_the_type() {
        assert_eq!(format!("{:?}", Decimal::new(2, 314)), "Decimal(3.14)");
    }

    #[test]
    fn equal_numbers_of_another_scale_differ() {
        assert_ne!(Decimal::new(1, 10), Decimal::new(0, 1));
    }
}

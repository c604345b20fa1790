//! Decimal numbers without rounding, so that a range of them has the values that people expect.
//!
//! `0.1 + 0.2` is `0.3` here, never `0.30000000000000004`.

use std::fmt;

/// The most digits after the point; more is no number that anybody counts in.
const MAX_SCALE: u32 = 18;
/// The most digits in all, so that sums stay far from overflow.
const MAX_DIGITS: usize = 30;

/// `units` / 10^`scale`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decimal {
    units: i128,
    scale: u32,
}

impl Decimal {
    /// Returns the number that `text` writes: digits, perhaps a sign, a point, an exponent.
    ///
    /// None for anything else, and for leading zeros (`08`), which are no numbers but parts of
    /// dates, times and names.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let Written { negative, whole, fraction, exponent } = Written::of(text)?;
        if whole.len() + fraction.len() > MAX_DIGITS {
            return None;
        }
        let units: i128 = format!("{whole}{fraction}").parse().ok()?;
        let scale = i32::try_from(fraction.len()).ok()?.checked_sub(exponent)?;
        let units = if negative { -units } else { units };
        if scale >= 0 {
            let scale = u32::try_from(scale).ok().filter(|scale| *scale <= MAX_SCALE)?;
            return Some(Self { units, scale });
        }
        let factor = power_of_ten(scale.unsigned_abs()).filter(|_| scale > -19)?;
        Some(Self { units: units.checked_mul(factor)?, scale: 0 })
    }

    /// Returns whether `text` writes a number, though it may be too large or too fine to be had.
    #[must_use]
    pub fn is_written(text: &str) -> bool {
        Written::of(text).is_some()
    }

    /// Returns whether it is written without a point.
    #[must_use]
    pub fn is_integer(self) -> bool {
        self.trimmed().scale == 0
    }

    /// Returns the nearest `f64`.
    #[must_use]
    pub fn to_f64(self) -> f64 {
        // By way of the text, because units / 10^scale would round twice.
        self.to_string().parse().unwrap_or(f64::NAN)
    }

    /// Returns the number as an integer, if it is one that fits.
    #[must_use]
    pub fn to_i64(self) -> Option<i64> {
        let trimmed = self.trimmed();
        if trimmed.scale == 0 { i64::try_from(trimmed.units).ok() } else { None }
    }

    fn trimmed(mut self) -> Self {
        while self.scale > 0 && self.units % 10 == 0 {
            self.units /= 10;
            self.scale -= 1;
        }
        self
    }

    fn units_at(self, scale: u32) -> Option<i128> {
        self.units.checked_mul(power_of_ten(scale - self.scale)?)
    }
}

/// The parts of a number as it is written.
struct Written<'t> {
    negative: bool,
    whole: &'t str,
    fraction: &'t str,
    exponent: i32,
}

impl<'t> Written<'t> {
    fn of(text: &'t str) -> Option<Self> {
        let (mantissa, exponent) = match text.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
            None => (text, 0),
        };
        let (negative, digits) = match mantissa.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, mantissa),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        let leading_zero = whole.len() > 1 && whole.starts_with('0');
        let point_alone = digits.ends_with('.');
        let is_number = !whole.is_empty()
            && !leading_zero
            && !point_alone
            && all_digits(whole)
            && all_digits(fraction);
        is_number.then_some(Self { negative, whole, fraction, exponent })
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { units, scale } = self.trimmed();
        if scale == 0 {
            return write!(f, "{units}");
        }
        let sign = if units < 0 { "-" } else { "" };
        let width = scale as usize + 1;
        let digits = format!("{:0width$}", units.unsigned_abs());
        let (whole, fraction) = digits.split_at(digits.len() - scale as usize);
        write!(f, "{sign}{whole}.{fraction}")
    }
}

/// Evenly spaced numbers, both ends included. Never empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DecimalRange {
    start: i128,
    step: i128,
    scale: u32,
    len: u64,
}

impl DecimalRange {
    /// Returns the range from `start` to at most `end`; none when `step` is zero or leads away from
    /// `end`.
    #[must_use]
    pub fn new(start: Decimal, end: Decimal, step: Decimal) -> Option<Self> {
        let scale = start.scale.max(end.scale).max(step.scale);
        let (first, last) = (start.units_at(scale)?, end.units_at(scale)?);
        let step = step.units_at(scale)?;
        let distance = last.checked_sub(first)?;
        if step == 0 || (distance != 0 && (distance < 0) != (step < 0)) {
            return None;
        }
        let len = u64::try_from(distance / step).ok()?.checked_add(1)?;
        Some(Self { start: first, step, scale, len })
    }

    /// Returns how many numbers it has.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Returns whether it has none; always false.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Returns the number at `index`, which must be below the length.
    #[must_use]
    pub fn get(&self, index: u64) -> Decimal {
        Decimal { units: self.start + self.step * i128::from(index), scale: self.scale }
    }

    /// Returns whether all of them are integers.
    #[must_use]
    pub fn is_integer(&self) -> bool {
        let whole = |units| Decimal { units, scale: self.scale }.is_integer();
        whole(self.start) && (self.len == 1 || whole(self.step))
    }
}

fn power_of_ten(exponent: u32) -> Option<i128> {
    10_i128.checked_pow(exponent)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(start: &str, end: &str, step: &str) -> Vec<String> {
        let parse = |text| Decimal::parse(text).unwrap();
        let range = DecimalRange::new(parse(start), parse(end), parse(step)).unwrap();
        (0..range.len()).map(|index| range.get(index).to_string()).collect()
    }

    #[test]
    fn numbers_are_written_without_needless_digits() {
        for (text, written) in [
            ("7", "7"),
            ("-3", "-3"),
            ("0.10", "0.1"),
            ("-0.05", "-0.05"),
            ("2.0", "2"),
            ("1e-3", "0.001"),
            ("2.5e2", "250"),
            ("1E3", "1000"),
        ] {
            assert_eq!(Decimal::parse(text).unwrap().to_string(), written, "{text}");
        }
    }

    #[test]
    fn what_is_no_plain_number_is_none() {
        for text in ["", "-", "08", "1.", ".5", "1.2.3", "+1", "0x10", "1e", "nan", "1e99", " 1"] {
            assert_eq!(Decimal::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn ranges_of_fractions_are_exact() {
        assert_eq!(range("0.1", "0.5", "0.1"), ["0.1", "0.2", "0.3", "0.4", "0.5"]);
        assert_eq!(range("0", "1", "0.25"), ["0", "0.25", "0.5", "0.75", "1"]);
        assert_eq!(range("1e-3", "3e-3", "1e-3"), ["0.001", "0.002", "0.003"]);
        assert_eq!(range("0.3", "-0.1", "-0.2"), ["0.3", "0.1", "-0.1"]);
    }

    #[test]
    fn ranges_end_at_or_before_their_end() {
        assert_eq!(range("1", "10", "4"), ["1", "5", "9"]);
        assert_eq!(range("10", "1", "-3"), ["10", "7", "4", "1"]);
        assert_eq!(range("5", "5", "1"), ["5"]);
    }

    #[test]
    fn a_step_that_leads_nowhere_makes_no_range() {
        let parse = |text| Decimal::parse(text).unwrap();
        assert_eq!(DecimalRange::new(parse("1"), parse("5"), parse("0")), None);
        assert_eq!(DecimalRange::new(parse("1"), parse("5"), parse("-1")), None);
        assert_eq!(DecimalRange::new(parse("5"), parse("1"), parse("1")), None);
    }
}

//! Numbers of JSON compared by their digits: exactly, however long they are.

use std::cmp::Ordering;

/// A number as `0.digits × 10^exponent`, without zeros at either end of its digits; none for zero.
#[derive(PartialEq, Eq)]
pub(crate) struct Decimal {
    negative: bool,
    digits: String,
    exponent: i64,
}

impl Decimal {
    pub(crate) fn read(text: &str) -> Self {
        let (negative, text) = text.strip_prefix('-').map_or((false, text), |text| (true, text));
        let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
        // Beyond that, numbers are taken for equally large.
        let huge = if exponent.starts_with('-') { i64::MIN / 4 } else { i64::MAX / 4 };
        let exponent = exponent.parse::<i64>().unwrap_or(huge).clamp(i64::MIN / 4, i64::MAX / 4);
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits = [whole, fraction].concat();
        let significant = digits.trim_start_matches('0');
        let zeros = digits.len() - significant.len();
        let length = |text: &str| i64::try_from(text.len()).unwrap_or(i64::MAX / 4);
        let exponent = exponent + length(whole) - length(&digits[..zeros]);
        let digits = significant.trim_end_matches('0').to_owned();
        let is_zero = digits.is_empty();
        Self { negative: negative && !is_zero, digits, exponent: if is_zero { 0 } else { exponent } }
    }

    pub(crate) fn is_negative(&self) -> bool {
        self.sign() < 0
    }

    /// The whole part of a number from 0 to `most`, and whether there is no other part.
    pub(crate) fn whole_part(&self, most: u32) -> Option<(u32, bool)> {
        if self.is_negative() || self.exponent > 10 {
            return None;
        }
        let length = usize::try_from(self.exponent).unwrap_or(0);
        let whole = self.digits.get(..length).unwrap_or(&self.digits);
        let zeros = length.saturating_sub(whole.len());
        let read: u64 = if length == 0 { 0 } else { format!("{whole}{}", "0".repeat(zeros)).parse().ok()? };
        let is_whole = self.digits.len() <= length;
        let read = u32::try_from(read).ok().filter(|read| *read < most || (*read == most && is_whole))?;
        Some((read, is_whole))
    }

    fn sign(&self) -> i8 {
        match (self.digits.is_empty(), self.negative) {
            (true, _) => 0,
            (false, true) => -1,
            (false, false) => 1,
        }
    }
}

impl Ord for Decimal {
    fn cmp(&self, other: &Self) -> Ordering {
        let size = || self.exponent.cmp(&other.exponent).then_with(|| self.digits.cmp(&other.digits));
        self.sign().cmp(&other.sign()).then_with(|| if self.negative { size().reverse() } else { size() })
    }
}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Compares two numbers of JSON by value.
pub(super) fn compare(left: &str, right: &str) -> Ordering {
    Decimal::read(left).cmp(&Decimal::read(right))
}

/// One text for all spellings of a number.
pub(super) fn canonical(text: &str) -> String {
    let Decimal { negative, digits, exponent } = Decimal::read(text);
    format!("{}0.{digits}e{exponent}", if negative { "-" } else { "" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_compared_by_value() {
        let ordered = [
            "-1e400",
            "-23000000000000000001",
            "-23000000000000000000",
            "-1.5",
            "-1",
            "0",
            "1e-400",
            "0.1",
            "0.11",
            "1",
            "1.00000000000000000001",
            "9.99",
            "10",
            "1e400",
            "1e99999999999999999999",
        ];
        for (n, left) in ordered.iter().enumerate() {
            for (m, right) in ordered.iter().enumerate() {
                assert_eq!(compare(left, right), n.cmp(&m), "{left} {right}");
            }
        }
        for same in
            [["0", "-0.00e9"], ["1e2", "100.0"], ["0.1000", "1E-1"], ["-12e+1", "-120"], ["0.010", "1e-2"]]
        {
            assert!(compare(same[0], same[1]).is_eq(), "{same:?}");
            assert_eq!(canonical(same[0]), canonical(same[1]));
        }
    }
}

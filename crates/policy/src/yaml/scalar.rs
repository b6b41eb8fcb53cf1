//! The plain scalars of the YAML 1.2 core schema.

use serde_json::{Number, Value};

/// A plain scalar that two readers would read differently, or that JSON cannot hold.
#[derive(Debug, PartialEq, Eq)]
pub enum Ambiguous {
    /// `0777`: octal in YAML 1.1, decimal in YAML 1.2.
    LeadingZero,
    /// Not a finite number of 64 bits.
    OutOfRange,
}

/// The value of an unquoted scalar.
///
/// # Errors
/// When it is a number that readers disagree on, or that does not fit in 64 bits.
pub fn resolve(text: &str) -> Result<Value, Ambiguous> {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Ok(Value::Null),
        "true" | "True" | "TRUE" => return Ok(Value::Bool(true)),
        "false" | "False" | "FALSE" => return Ok(Value::Bool(false)),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "-.inf" | ".nan" | ".NaN" | ".NAN" => {
            return Err(Ambiguous::OutOfRange);
        }
        _ => {}
    }
    if let Some(digits) = text.strip_prefix("0x") {
        return radix(text, digits, 16);
    }
    if let Some(digits) = text.strip_prefix("0o") {
        return radix(text, digits, 8);
    }
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    if !unsigned.is_empty() && unsigned.bytes().all(|byte| byte.is_ascii_digit()) {
        return integer(text, unsigned);
    }
    if is_float(unsigned) {
        let number = text.parse().ok().and_then(Number::from_f64);
        return number.map(Value::Number).ok_or(Ambiguous::OutOfRange);
    }
    Ok(Value::String(text.to_owned()))
}

fn radix(text: &str, digits: &str, radix: u32) -> Result<Value, Ambiguous> {
    if digits.is_empty() || !digits.chars().all(|digit| digit.is_digit(radix)) {
        return Ok(Value::String(text.to_owned()));
    }
    u64::from_str_radix(digits, radix).map(Value::from).map_err(|_| Ambiguous::OutOfRange)
}

fn integer(text: &str, unsigned: &str) -> Result<Value, Ambiguous> {
    if unsigned.len() > 1 && unsigned.starts_with('0') {
        return Err(Ambiguous::LeadingZero);
    }
    let text = text.strip_prefix('+').unwrap_or(text);
    let number = text.parse::<u64>().map(Value::from).or_else(|_| text.parse::<i64>().map(Value::from));
    number.map_err(|_| Ambiguous::OutOfRange)
}

/// `(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?`
fn is_float(unsigned: &str) -> bool {
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let exponent_fits = exponent.is_none_or(|exponent| {
        let exponent = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
        !exponent.is_empty() && digits(exponent)
    });
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    exponent_fits && digits(whole) && digits(fraction) && !(whole.is_empty() && fraction.is_empty())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn scalars_are_those_of_the_core_schema() {
        let table = [
            ("", json!(null)),
            ("~", json!(null)),
            ("true", json!(true)),
            ("yes", json!("yes")),
            ("on", json!("on")),
            ("12", json!(12)),
            ("-3", json!(-3)),
            ("+3", json!(3)),
            ("0", json!(0)),
            ("0x1F", json!(31)),
            ("0o17", json!(15)),
            ("0xZZ", json!("0xZZ")),
            ("1.5", json!(1.5)),
            ("1e3", json!(1000.0)),
            (".5", json!(0.5)),
            (".", json!(".")),
            ("e5", json!("e5")),
            ("1e", json!("1e")),
            ("1:30", json!("1:30")),
            ("-", json!("-")),
            ("1.2.3", json!("1.2.3")),
            ("18446744073709551615", json!(u64::MAX)),
        ];
        for (text, expected) in table {
            assert_eq!(resolve(text), Ok(expected), "{text:?}");
        }
    }

    #[test]
    fn what_readers_disagree_on_is_refused() {
        assert_eq!(resolve("0644"), Err(Ambiguous::LeadingZero));
        for text in ["18446744073709551616", "1e999", ".nan", "-.inf"] {
            assert_eq!(resolve(text), Err(Ambiguous::OutOfRange), "{text:?}");
        }
    }
}

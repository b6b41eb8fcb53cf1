//! What an unquoted text means: the rules of Kubernetes' own reader, `sigs.k8s.io/yaml`, which are
//! YAML 1.1 with Go's way of writing integers.

use saphyr_parser::Tag;
use serde_json::{Number, Value};

use super::node::Kind;
use super::time;

/// The help for a text whose meaning is refused.
pub(crate) const QUOTE_IT: &str = "put it in quotes if it is meant as text";

/// What is said of an integer that kustomize rounds.
pub(crate) const ROUNDED: &str = "kustomize makes a floating-point number of this integer: here it stays exact, also in the hash of a name";

/// What is said of a block that kustomize prints otherwise.
pub(crate) const GROWS: &str =
    "kustomize prints this text with an empty line more: here it stays as it is written";

/// What is said of a text with the character U+0085.
pub(crate) const NEXT_LINE: &str =
    "kustomize makes a space of the character U+0085 in this text: here it stays as it is written";

/// The help for such texts.
pub(crate) const QUOTE_BLOCK: &str = "in quotes it is the same in both";

/// Whose rules say what an unquoted text means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// Kubernetes' own reader: YAML 1.1, where `yes` and `on` are booleans.
    Kubernetes,
    /// As that, and of a key that is written twice the last counts, with a warning: kustomize's reader of its
    /// own files.
    Configuration,
    /// kustomize's reader of objects and patches, where they are text.
    Kustomize,
}

/// Whether kustomize writes an empty line more into a folded text: before a line that is indented further and follows
/// one that is not, or at the end of a text that ends in empty lines.
pub(crate) fn grows(folded: &str) -> bool {
    let mut after_text = false;
    let mut is_indented_further = |line: &str| {
        let indented = line.starts_with([' ', '\t']);
        let found = after_text && indented;
        after_text = !indented;
        found
    };
    ends_in_empty_lines(folded)
        || folded.split('\n').filter(|line| !line.is_empty()).any(&mut is_indented_further)
}

/// Whether empty lines come after the last line that holds something.
pub(crate) fn ends_in_empty_lines(text: &str) -> bool {
    text.ends_with("\n\n") && text.contains(|c| c != '\n')
}

/// What a scalar is. `plain` says that it is not quoted.
///
/// # Errors
/// When it has a tag that is not known or not fulfilled, or a value that JSON cannot hold.
pub(crate) fn resolve(text: &str, plain: bool, tag: Option<&Tag>, dialect: Dialect) -> Result<Kind, String> {
    let Some(tag) = tag else {
        return if plain { unquoted(text, dialect) } else { Ok(Kind::Str) };
    };
    let fits: fn(&Value) -> bool = match (tag.is_yaml_core_schema(), tag.suffix.as_str()) {
        (true, "str" | "timestamp") => return Ok(Kind::Str),
        (true, "null") => Value::is_null,
        (true, "bool") => Value::is_boolean,
        (true, "int") => |value| value.is_i64() || value.is_u64(),
        (true, "float") => Value::is_number,
        (true, "binary") => {
            return Err("!!binary has no counterpart in JSON: write the base64 text itself".to_owned());
        }
        _ => return Err(format!("the tag {} is not known here", shown(&tag.to_string()))),
    };
    let value = untagged(text)?;
    if fits(&value) { Ok(kind(&value)) } else { Err(format!("{} is not what {tag} asks for", shown(text))) }
}

fn kind(value: &Value) -> Kind {
    match value {
        Value::Null => Kind::Null,
        Value::Bool(_) => Kind::Bool,
        Value::Number(number) if number.is_f64() => Kind::Float,
        Value::Number(_) => Kind::Int,
        _ => Kind::Str,
    }
}

/// Whether a text can be anything else: nearly every one begins with a letter that begins nothing but text.
fn may_be_else(text: &str) -> bool {
    text.bytes().next().is_none_or(|byte| b"~.+-0123456789nNyYtTfFoO".contains(&byte))
}

/// Whether a text without quotes and without a tag is one to YAML 1.1.
pub(crate) fn is_text(text: &str) -> bool {
    !may_be_else(text) || matches!(untagged(text), Ok(Value::String(_)))
}

/// What a text without quotes and without a tag is.
fn unquoted(text: &str, dialect: Dialect) -> Result<Kind, String> {
    if !may_be_else(text) {
        return Ok(Kind::Str);
    }
    match (untagged(text), dialect) {
        (Ok(Value::Bool(_)), Dialect::Kustomize) if !is_strict_boolean(text) => Ok(Kind::Str),
        (Err(_), Dialect::Kustomize) => Ok(Kind::Unwritable),
        (Ok(Value::String(_)), Dialect::Kustomize) if time::in_full(text).is_some() => Ok(Kind::Time),
        (value, _) => value.map(|value| kind(&value)),
    }
}

/// What `text` is to kustomize when it replaces another text that stood without quotes.
pub(crate) fn plain_kind(text: &str) -> Kind {
    unquoted(text, Dialect::Kustomize).unwrap_or(Kind::Unwritable)
}

/// What kustomize takes a value for: a whole number that is spelled as a fraction, or with an exponent, is one.
pub(crate) fn spelled(kind: Kind, text: &str) -> Kind {
    let is_fraction = text.contains(['.', 'e', 'E']) && !text.contains(['x', 'X']);
    if kind == Kind::Int && is_fraction { Kind::Float } else { kind }
}

fn is_strict_boolean(text: &str) -> bool {
    matches!(text, "true" | "True" | "TRUE" | "false" | "False" | "FALSE")
}

/// Which of the two a text is that was read as a boolean.
pub(crate) fn is_true(text: &str) -> bool {
    matches!(untagged(text), Ok(Value::Bool(true)))
}

/// The number of a text that was read as one.
pub(crate) fn number_value(text: &str) -> Value {
    match text.bytes().next() {
        Some(b'.') => fraction(text),
        _ => number(text).ok(),
    }
    .unwrap_or_else(|| Value::from(text))
}

/// The value of what is known to be an integer, also where it is spelled with an exponent.
pub(crate) fn integer_value(text: &str) -> Value {
    match number_value(text) {
        Value::Number(number) if number.is_f64() => {
            let whole = number.as_f64().map(|number| format!("{number}"));
            whole.and_then(|whole| whole.parse::<i64>().ok()).map_or(Value::Number(number), Value::from)
        }
        value => value,
    }
}

/// `text`, short enough for a message.
pub(crate) fn shown(text: &str) -> String {
    if text.chars().count() <= 60 {
        return format!("{text:?}");
    }
    format!("{:?}…", text.chars().take(60).collect::<String>())
}

/// The value of a text without quotes and without a tag.
pub(crate) fn untagged(text: &str) -> Result<Value, String> {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Ok(Value::Null),
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => {
            return Ok(Value::Bool(true));
        }
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            return Ok(Value::Bool(false));
        }
        ".nan" | ".NaN" | ".NAN" => return Err("not a number cannot be written in JSON".to_owned()),
        _ => {}
    }
    if let ".inf" | ".Inf" | ".INF" = text.trim_start_matches(['+', '-']) {
        // The reader knows one sign at most; "+-.inf" is text.
        if text.len() <= ".inf".len() + 1 {
            return Err("an infinite number cannot be written in JSON".to_owned());
        }
    }
    match text.bytes().next() {
        Some(b'.') => Ok(fraction(text).unwrap_or_else(|| Value::from(text))),
        Some(b'+' | b'-' | b'0'..=b'9') => number(text),
        _ => Ok(Value::from(text)),
    }
}

fn number(text: &str) -> Result<Value, String> {
    let digits = text.replace('_', "");
    match integer(&digits) {
        Integer::Exact(value) => Ok(value),
        Integer::TooLarge => Err(format!("{} is an integer of more than 64 bits", shown(text))),
        Integer::None => Ok(float(&digits).unwrap_or_else(|| Value::from(text))),
    }
}

/// A text that begins with a point, as Go's `strconv.ParseFloat` reads it: an underscore stands between digits.
fn fraction(text: &str) -> Option<Value> {
    let parts_digits = |window: &[u8]| match window {
        [before, b'_', after] => before.is_ascii_digit() && after.is_ascii_digit(),
        _ => true,
    };
    let sound = !text.ends_with('_') && text.as_bytes().windows(3).all(parts_digits);
    if sound { float(&text.replace('_', "")) } else { None }
}

enum Integer {
    Exact(Value),
    TooLarge,
    None,
}

/// An integer as Go's `strconv.ParseInt` reads it with base 0: `0x`, `0o` or a leading `0`, and `0b`.
fn integer(text: &str) -> Integer {
    let (negative, digits) = match text.as_bytes() {
        [b'-', ..] => (true, text.get(1..).unwrap_or_default()),
        [b'+', ..] => (false, text.get(1..).unwrap_or_default()),
        _ => (false, text),
    };
    let (radix, digits) = match digits.as_bytes() {
        [b'0', b'x' | b'X', _, ..] => (16, digits.get(2..).unwrap_or_default()),
        [b'0', b'o' | b'O', _, ..] => (8, digits.get(2..).unwrap_or_default()),
        [b'0', b'b' | b'B', _, ..] => (2, digits.get(2..).unwrap_or_default()),
        [b'0', _, ..] => (8, digits.get(1..).unwrap_or_default()),
        _ => (10, digits),
    };
    // Go's second try at a binary integer takes a sign after the prefix.
    let (negative, digits) = match (radix, digits.as_bytes()) {
        (2, [b'-', ..]) if text.starts_with("0b") => (true, digits.get(1..).unwrap_or_default()),
        (2, [b'+', ..]) if text.starts_with("0b") => (false, digits.get(1..).unwrap_or_default()),
        _ => (negative, digits),
    };
    if digits.is_empty() || !digits.chars().all(|digit| digit.is_digit(radix)) {
        return Integer::None;
    }
    let Ok(magnitude) = u64::from_str_radix(digits, radix) else { return Integer::TooLarge };
    match (negative, 0_i64.checked_sub_unsigned(magnitude)) {
        (false, _) => Integer::Exact(Value::from(magnitude)),
        (true, Some(value)) => Integer::Exact(Value::from(value)),
        (true, None) => Integer::TooLarge,
    }
}

/// A decimal fraction; `None` if it is none, or has no finite value.
fn float(text: &str) -> Option<Value> {
    if !is_decimal(text) {
        return None;
    }
    number_of(text.parse().ok()?)
}

/// Whether `text` is a sign, digits with at most one point, and an exponent, each but the digits optional.
fn is_decimal(text: &str) -> bool {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let mantissa = match mantissa.split_once('.') {
        Some(("", fraction)) => digits(fraction),
        Some((whole, fraction)) => digits(whole) && (fraction.is_empty() || digits(fraction)),
        None => digits(mantissa),
    };
    let exponent = exponent.is_none_or(|text| digits(text.strip_prefix(['+', '-']).unwrap_or(text)));
    mantissa && exponent
}

/// A number as Kubernetes keeps it: one without a fraction is an integer, where 64 bits hold it.
/// `None` if it is not finite.
pub(crate) fn number_of(number: f64) -> Option<Value> {
    // Two to the 63rd. Every smaller number without a fraction is converted exactly.
    const LIMIT: f64 = 9_223_372_036_854_775_808.0;
    if number.fract() == 0.0 && number.abs() < LIMIT {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "it has no fraction and is within the bounds of i64"
        )]
        return Some(Value::from(number as i64));
    }
    Number::from_f64(number).map(Value::Number)
}

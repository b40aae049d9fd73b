//! The tokens of a condition.

use serde_json::Value;

use super::brackets;
use super::compare::Op;
use super::query::{self, Query};
use crate::exact;
use crate::expr::SyntaxError;
use crate::expr::error::short;

#[derive(Debug)]
pub(super) enum Token {
    Or,
    And,
    Not,
    Open,
    Close,
    Op(Op),
    Literal(Value),
    Query(Query),
    End,
}

/// Reads the token that begins at or after `at`; returns it with its place and where it ends.
pub(super) fn next(text: &str, at: usize) -> Result<(Token, std::ops::Range<usize>), SyntaxError> {
    let start = text.len() - text[at..].trim_start_matches([' ', '\t', '\n', '\r']).len();
    let rest = &text[start..];
    let (token, length) = match rest.as_bytes() {
        [] => (Token::End, 0),
        [b'|', b'|', ..] => (Token::Or, 2),
        [b'&', b'&', ..] => (Token::And, 2),
        [b'=', b'=', ..] => (Token::Op(Op::Eq), 2),
        [b'!', b'=', ..] => (Token::Op(Op::Ne), 2),
        [b'<', b'=', ..] => (Token::Op(Op::Le), 2),
        [b'>', b'=', ..] => (Token::Op(Op::Ge), 2),
        [b'<', ..] => (Token::Op(Op::Lt), 1),
        [b'>', ..] => (Token::Op(Op::Gt), 1),
        [b'!', ..] => (Token::Not, 1),
        [b'(', ..] => (Token::Open, 1),
        [b')', ..] => (Token::Close, 1),
        [b'$', b'{', ..] => {
            return Err(SyntaxError::new(
                start,
                "`${…}` has no place in a condition: write the name as a query, as in `$.vars.x`",
            ));
        }
        [b'$', ..] => {
            let end = query::end(text, start)?;
            (Token::Query(Query::parse(text, start..end.at, end.singular)?), end.at - start)
        }
        [quote @ (b'\'' | b'"'), ..] => {
            let length = brackets::string_length(rest, *quote).ok_or_else(|| {
                SyntaxError::new(start, format!("the text is not closed: add a `{}`", char::from(*quote)))
            })?;
            (Token::Literal(unescape(&rest[1..length - 1], start + 1)?.into()), length)
        }
        [b'-' | b'0'..=b'9', ..] => number(rest, start)?,
        _ => word(rest, start)?,
    };
    Ok((token, start..start + length))
}

fn number(rest: &str, start: usize) -> Result<(Token, usize), SyntaxError> {
    let part_of = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '+' | '-');
    let length = rest.find(|c| !part_of(c)).unwrap_or(rest.len());
    match exact::parse(&rest[..length]) {
        Ok(value) if value.is_number() || exact::marked(&value).is_some() => {
            Ok((Token::Literal(value), length))
        }
        _ => Err(SyntaxError::new(
            start,
            format!(
                "`{}` is not a number: write it as in JSON, `8`, `-0.5` or `1e3`",
                short(&rest[..length])
            ),
        )),
    }
}

fn word(rest: &str, start: usize) -> Result<(Token, usize), SyntaxError> {
    let part_of = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
    let length = rest.find(|c| !part_of(c)).unwrap_or(rest.len());
    let message = match &rest[..length] {
        "true" => return Ok((Token::Literal(true.into()), length)),
        "false" => return Ok((Token::Literal(false.into()), length)),
        "null" => return Ok((Token::Literal(Value::Null), length)),
        "" => match rest.chars().next() {
            Some('=') => "`=` compares nothing: write `==`".to_owned(),
            Some('&') => "write `&&` for and".to_owned(),
            Some('|') => "write `||` for or".to_owned(),
            Some('@') => "`@` has a meaning only in a filter, `[?@.x]`: write `$`".to_owned(),
            c => format!(
                "{:?} is not allowed here: write a query, `$.x`, a number or a text in quotes",
                c.unwrap_or_default()
            ),
        },
        "and" | "AND" => "write `&&` for and".to_owned(),
        "or" | "OR" => "write `||` for or".to_owned(),
        "not" | "NOT" => "write `!` for not".to_owned(),
        name if rest[length..].starts_with('(') => {
            format!("functions are allowed only in a filter: `$.xs[?{0}(@.y)]`, not `{0}(…)`", short(name))
        }
        name => {
            format!(
                "`{0}` is not an operand: write `$.{0}` for the name or `'{0}'` for the text",
                short(name)
            )
        }
    };
    Err(SyntaxError::new(start, message))
}

/// The text that `inside`, without its quotes, stands for.
fn unescape(inside: &str, offset: usize) -> Result<String, SyntaxError> {
    let mut text = String::with_capacity(inside.len());
    let mut rest = inside;
    while let Some(backslash) = rest.find('\\') {
        text.push_str(&rest[..backslash]);
        let escape = &rest[backslash..];
        let (c, length) = escaped(escape).ok_or_else(|| {
            SyntaxError::new(
                offset + inside.len() - escape.len(),
                "unknown escape: write `\\\\` for a backslash; others are \
                 `\\'` `\\\"` `\\/` `\\b` `\\f` `\\n` `\\r` `\\t` `\\u0041`",
            )
        })?;
        text.push(c);
        rest = &escape[length..];
    }
    text.push_str(rest);
    Ok(text)
}

fn escaped(escape: &str) -> Option<(char, usize)> {
    let c = match escape.as_bytes().get(1)? {
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        b'n' => '\n',
        b'r' => '\r',
        b't' => '\t',
        c @ (b'\'' | b'"' | b'/' | b'\\') => char::from(*c),
        b'u' => {
            let high = unit(escape, 0)?;
            if let Some(c) = char::from_u32(high.into()) {
                return Some((c, 6));
            }
            let pair = [high, unit(escape, 6)?];
            return char::decode_utf16(pair).next()?.ok().map(|c| (c, 12));
        }
        _ => return None,
    };
    Some((c, 2))
}

/// The UTF-16 code unit written as `\uXXXX` at `at`.
fn unit(escape: &str, at: usize) -> Option<u16> {
    let digits = escape.get(at..at + 6)?.strip_prefix("\\u")?;
    if digits.bytes().all(|b| b.is_ascii_hexdigit()) { u16::from_str_radix(digits, 16).ok() } else { None }
}

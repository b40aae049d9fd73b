//! The grammar of conditions:
//!
//! ```text
//! or      = and *("||" and)
//! and     = unary *("&&" unary)
//! unary   = *"!" ("(" or ")" / operand / operand op operand)
//! operand = literal / query
//! ```

use std::ops::Range;

use serde_json::Value;

use super::lexer::{self, Token};
use super::tree::{Expr, Operand};
use crate::expr::SyntaxError;

/// How deep parentheses may be nested, so that neither parsing nor evaluation runs out of stack.
const DEEPEST: usize = 32;
const LONGEST: usize = 4 * 1024;

pub(super) fn parse(text: &str) -> Result<Expr, SyntaxError> {
    if text.len() > LONGEST {
        return Err(SyntaxError::new(LONGEST, "a condition can be 4 KiB long: make it simpler"));
    }
    let (token, place) = lexer::next(text, 0)?;
    if matches!(token, Token::End) {
        return Err(SyntaxError::new(0, "the condition is empty: write `true` for one that always holds"));
    }
    let mut parser = Parser { text, token, place };
    let expr = parser.or(DEEPEST)?;
    match parser.token {
        Token::End => Ok(expr),
        _ => Err(parser.error("write `&&` or `||` before this, or remove it")),
    }
}

struct Parser<'t> {
    text: &'t str,
    token: Token,
    place: Range<usize>,
}

impl Parser<'_> {
    fn advance(&mut self) -> Result<(), SyntaxError> {
        (self.token, self.place) = lexer::next(self.text, self.place.end)?;
        Ok(())
    }

    fn error(&self, message: &str) -> SyntaxError {
        SyntaxError::new(self.place.start, message)
    }

    fn or(&mut self, deeper: usize) -> Result<Expr, SyntaxError> {
        let mut any = vec![self.and(deeper)?];
        while matches!(self.token, Token::Or) {
            self.advance()?;
            any.push(self.and(deeper)?);
        }
        Ok(one_or(any, Expr::Or))
    }

    fn and(&mut self, deeper: usize) -> Result<Expr, SyntaxError> {
        let mut all = vec![self.unary(deeper)?];
        while matches!(self.token, Token::And) {
            self.advance()?;
            all.push(self.unary(deeper)?);
        }
        Ok(one_or(all, Expr::And))
    }

    fn unary(&mut self, deeper: usize) -> Result<Expr, SyntaxError> {
        let mut not = None;
        while matches!(self.token, Token::Not) {
            self.advance()?;
            not = Some(!not.unwrap_or(false));
        }
        let inner = if matches!(self.token, Token::Open) {
            self.parentheses(deeper)?
        } else {
            self.test(not.is_some())?
        };
        Ok(if not == Some(true) { Expr::Not(Box::new(inner)) } else { inner })
    }

    fn parentheses(&mut self, deeper: usize) -> Result<Expr, SyntaxError> {
        let open = self.place.start;
        let Some(deeper) = deeper.checked_sub(1) else {
            return Err(self.error("the condition is nested too deeply: make it simpler"));
        };
        self.advance()?;
        let inner = self.or(deeper)?;
        match self.token {
            Token::Close => self.advance()?,
            Token::End => return Err(SyntaxError::new(open, "`(` is not closed: add a `)`")),
            _ => return Err(self.error("write `&&`, `||` or `)` before this, or remove it")),
        }
        Ok(inner)
    }

    /// One operand as a condition, or two compared.
    fn test(&mut self, negated: bool) -> Result<Expr, SyntaxError> {
        let place = self.place.start;
        let left = self.operand()?;
        if let Token::Op(op) = self.token {
            if negated {
                return Err(self.error("`!` is for one operand: write `!(… == …)` to negate a comparison"));
            }
            singular(&left, place)?;
            self.advance()?;
            let place = self.place.start;
            let right = self.operand()?;
            singular(&right, place)?;
            if matches!(self.token, Token::Op(_)) {
                return Err(self.error("comparisons cannot be chained: write `a < b && b < c`"));
            }
            return Ok(Expr::Compare(left, op, right));
        }
        match left {
            Operand::Query(query) => Ok(Expr::Test(query)),
            Operand::Literal(Value::Bool(value)) => Ok(Expr::Const(value)),
            Operand::Literal(_) => Err(SyntaxError::new(
                place,
                "a value alone is not a condition: compare it, as in `$.x == \
                                             1`",
            )),
        }
    }

    fn operand(&mut self) -> Result<Operand, SyntaxError> {
        let operand = match std::mem::replace(&mut self.token, Token::End) {
            Token::Literal(value) => Operand::Literal(value),
            Token::Query(query) => Operand::Query(query),
            _ => return Err(self.error("an operand is missing here: write a query, `$.x`, or a value")),
        };
        self.advance()?;
        Ok(operand)
    }
}

fn one_or(mut parts: Vec<Expr>, combine: impl FnOnce(Vec<Expr>) -> Expr) -> Expr {
    if parts.len() == 1 { parts.swap_remove(0) } else { combine(parts) }
}

fn singular(operand: &Operand, place: usize) -> Result<(), SyntaxError> {
    match operand {
        Operand::Query(query) if !query.singular => Err(SyntaxError::new(
            place,
            "a query in a comparison must select one value: use names and indexes only, as in `$.xs[0].y`",
        )),
        _ => Ok(()),
    }
}

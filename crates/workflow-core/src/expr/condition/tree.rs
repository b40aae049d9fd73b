//! A condition as a tree, and what it says of a document.

use serde_json::Value;

use crate::expr::condition::compare::Op;
use crate::expr::condition::query::Query;

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Expr {
    Const(bool),
    Test(Query),
    Compare(Operand, Op, Operand),
    Not(Box<Expr>),
    And(Vec<Expr>),
    Or(Vec<Expr>),
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Operand {
    Literal(Value),
    Query(Query),
}

impl Expr {
    pub(super) fn queries<'e>(&'e self, found: &mut Vec<&'e Query>) {
        match self {
            Self::Const(_) => {}
            Self::Test(query) => found.push(query),
            Self::Compare(left, _, right) => {
                found.extend([left, right].into_iter().filter_map(|operand| match operand {
                    Operand::Query(query) => Some(query),
                    Operand::Literal(_) => None,
                }));
            }
            Self::Not(inner) => inner.queries(found),
            Self::And(parts) | Self::Or(parts) => parts.iter().for_each(|part| part.queries(found)),
        }
    }

    pub(super) fn eval(&self, document: &Value) -> bool {
        match self {
            Self::Const(value) => *value,
            Self::Test(query) => query.holds(document),
            Self::Compare(left, op, right) => match (left.value(document), right.value(document)) {
                (Some(left), Some(right)) => op.holds(left, right),
                _ => matches!(op, Op::Ne),
            },
            Self::Not(inner) => !inner.eval(document),
            Self::And(all) => all.iter().all(|part| part.eval(document)),
            Self::Or(any) => any.iter().any(|part| part.eval(document)),
        }
    }
}

impl Operand {
    fn value<'v>(&'v self, document: &'v Value) -> Option<&'v Value> {
        match self {
            Self::Literal(value) => Some(value),
            Self::Query(query) => query.first(document),
        }
    }
}

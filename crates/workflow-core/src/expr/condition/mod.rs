//! Conditions: comparisons and JSONPath queries over a JSON document.

mod brackets;
mod compare;
mod cost;
mod lexer;
mod parser;
mod query;
mod ranked;
mod tree;

use serde_json::Value;

use crate::expr::condition::tree::Expr;
use crate::expr::error::SyntaxError;

/// A condition, parsed once: `$.score >= 8 && !$.blocked`.
///
/// | written | means |
/// |---|---|
/// | `a \|\| b`, `a && b`, `!a`, `(a)` | or, and, not, in the usual precedence |
/// | `==`, `!=`, `<`, `<=`, `>`, `>=` | a comparison of two operands |
/// | `true`, `false` | a condition, or an operand |
/// | `8`, `-0.5e3`, `'text'`, `"text"`, `null` | an operand; texts have JSON's escapes, and `\'` |
/// | `$.vars.x`, `$.stages['plan-b'].output` | a JSONPath query (RFC 9535): a condition, or an operand |
///
/// A query as a condition is true when the first value it selects is `true`; any other value, or
/// none, is false. A query in a comparison must be singular: names and indexes only.
///
/// Comparisons follow RFC 9535, also in filters: numbers compare by value, exactly however they are written and however
/// long they are, texts by Unicode code points, arrays and objects by content, and `<` and `>` are false for all but two numbers or two texts. They differ
/// in one thing: an absent value equals nothing, not even another absent one. So `$.skip != true`
/// holds when there is no `$.skip`, and every other comparison with an absent value does not.
///
/// A query takes a time that is linear in the size of the document. So a chain has one `..` at most, a whole
/// query with its filters two; the numbers of selectors in its lists multiply to 64 at most; and a query inside a
/// filter that begins with `$` is singular. Others are refused when they are parsed.
///
/// ```
/// use serde_json::json;
/// use workflow_core::expr::Condition;
///
/// let condition = Condition::parse("$.score >= 8 && !$.blocked")?;
/// assert!(condition.eval(&json!({ "score": 9 })));
/// assert!(!condition.eval(&json!({ "score": 9, "blocked": true })));
/// assert!(!condition.eval(&json!({})));
/// # Ok::<(), workflow_core::expr::SyntaxError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Condition(Expr);

impl Condition {
    /// Parses a condition.
    ///
    /// # Errors
    ///
    /// [`SyntaxError`] when it is not well-formed, nested too deeply, longer than 4 KiB, or when a query in it is not
    /// linear.
    pub fn parse(text: &str) -> Result<Self, SyntaxError> {
        parser::parse(text).map(Self)
    }

    /// For each of its queries, those in filters included, the names of members that it begins with:
    /// `["nodes", "plan", "output"]` for `$.nodes.plan.output[0]`, and none for `$..x`.
    ///
    /// ```
    /// use workflow_core::expr::Condition;
    ///
    /// let condition = Condition::parse("$.nodes['plan'].output.score > 8 || $.done")?;
    /// let queries: Vec<Vec<_>> = condition.queries().map(Iterator::collect).collect();
    /// assert_eq!(queries, [vec!["nodes", "plan", "output", "score"], vec!["done"]]);
    ///
    /// let condition = Condition::parse("$.xs[?@.name == $.vars.name && @.text != '$.x']")?;
    /// let queries: Vec<Vec<_>> = condition.queries().map(Iterator::collect).collect();
    /// assert_eq!(queries, [vec!["xs"], vec!["vars", "name"]]);
    /// # Ok::<(), workflow_core::expr::SyntaxError>(())
    /// ```
    pub fn queries(&self) -> impl Iterator<Item = impl Iterator<Item = &str>> {
        let mut found = Vec::new();
        self.0.queries(&mut found);
        found.into_iter().flat_map(|query| &query.names).map(|names| names.iter().map(AsRef::as_ref))
    }

    /// Whether it holds for `document`.
    pub fn eval(&self, document: &Value) -> bool {
        self.0.eval(document)
    }
}

//! Conditions: which are true, and which are refused.

use serde_json::{Value, json};
use workflow_core::expr::Condition;

fn document() -> Value {
    json!({
        "done": true, "blocked": false, "score": 8, "ratio": 0.5, "name": "ada", "nothing": null,
        "text": "true", "one": 1, "empty": "",
        "list": [1, 2, {"n": 3, "ok": true}], "same": [1.0, 2, {"ok": true, "n": 3}], "object": {"a": {"b": 1}},
        "vars": { "skip-tests": true, "it's": 1, "a\"b": 2, "größe": 3, "a&&b": 4, "]": 5 },
        "stages": { "plan": { "status": "completed", "output": { "files": ["a.rs", "b(1).rs"] } } },
        "big": 9_007_199_254_740_993_u64, "near": 9_007_199_254_740_992_u64, "huge": u64::MAX, "low": i64::MIN,
        "iteration": 2,
    })
}

#[test]
fn a_condition_holds_or_does_not() {
    let table = [
        // Only constants and queries.
        ("true", true),
        ("false", false),
        (" \n true\t", true),
        ("$.done", true),
        ("$.blocked", false),
        ("$.score", false),
        ("$.text", false),
        ("$.nothing", false),
        ("$.absent", false),
        ("$.list", false),
        ("$", false),
        ("$.list[2].ok", true),
        ("$['done']", true),
        ("$[\"done\"]", true),
        ("$ .done", true),
        ("$.vars['skip-tests']", true),
        // The first match counts.
        ("$..ok", true),
        ("$.list[*].ok", true),
        ("$['blocked','done']", false),
        ("$['done','blocked']", true),
        ("$.list[?@.n == 3].ok", true),
        ("$.list[?@.n == 4].ok", false),
        ("$.list[?@.n > 1 && (@.ok == true || @.x)].ok", true),
        ("$.list[?search(@.name, '[a-z)\\\\]]')].ok", false),
        ("$.list[?length(@) == 2].ok && $.done", true),
        ("$[?@ == true]", true),
        // Logic and precedence.
        ("!$.done", false),
        ("!$.absent", true),
        ("!!$.done", true),
        ("!!!$.done", false),
        ("! ( $.done )", false),
        ("true && false", false),
        ("true || false && false", true),
        ("(true || false) && false", false),
        ("false || false || true", true),
        ("true && true && false", false),
        ("!false && false", false),
        ("!(false && false)", true),
        ("((($.done)))", true),
        ("$.done&&!$.blocked||false", true),
        // Equality.
        ("$.done == true", true),
        ("$.done==true", true),
        ("$.done != true", false),
        ("$.blocked == false", true),
        ("$.text == true", false),
        ("$.text == 'true'", true),
        ("$.score == 8", true),
        ("$.score == 8.0", true),
        ("$.score == 80e-1", true),
        ("$.score == '8'", false),
        ("$.score != '8'", true),
        ("8 == $.score", true),
        ("$.nothing == null", true),
        ("$.nothing != null", false),
        ("$.nothing == false", false),
        ("$.empty == ''", true),
        ("$.name == 'ada'", true),
        ("$.name == \"ada\"", true),
        ("$.name != 'Ada'", true),
        ("1 == 1", true),
        ("$.one == true", false),
        ("$.list == $.same", true),
        ("$.list != $.object", true),
        ("$.object == $.object", true),
        ("$.object.a == $.object", false),
        ("-0 == 0", true),
        // Ordering.
        ("$.score >= 8", true),
        ("$.score > 8", false),
        ("$.score <= 8", true),
        ("$.score < 8", false),
        ("$.score < 8.5", true),
        ("$.ratio < 1", true),
        ("-1 < $.ratio", true),
        ("'ada' < 'bob'", true),
        ("'Z' < 'a'", true),
        ("'z' < 'ä'", true),
        ("'\u{ffff}' < '\u{10000}'", true),
        ("'10' < '9'", true),
        ("$.name < 5", false),
        ("$.name > 5", false),
        ("$.name >= 5", false),
        ("$.done > false", false),
        ("$.done >= true", true),
        ("null <= null", true),
        ("null < null", false),
        ("$.list < $.list", false),
        ("$.big > $.near", true),
        ("$.big == $.near", false),
        ("$.huge > $.low", true),
        ("$.huge == 18446744073709551615", true),
        // An absent value equals nothing.
        ("$.absent == true", false),
        ("$.absent != true", true),
        ("$.absent == null", false),
        ("$.absent != null", true),
        ("$.absent == $.absent", false),
        ("$.absent != $.absent", true),
        ("$.absent < 1", false),
        ("$.list[9] == 1", false),
        ("$.name.first == 'a'", false),
        ("!($.absent == true)", true),
        ("!($.absent != true)", false),
        // The forms of a singular query.
        ("$.list[0] == 1", true),
        ("$.list[-1].n == 3", true),
        ("$.list[ 1 ] == 2", true),
        ("$ ['object'] [\"a\"] .b == 1", true),
        ("$.vars['it\\'s'] == 1", true),
        ("$.vars[\"it's\"] == 1", true),
        ("$.vars['a\"b'] == 2", true),
        ("$.vars.größe == 3", true),
        ("$.vars['a&&b'] == 4 && true", true),
        ("$.vars[']'] == 5", true),
        ("$.stages.plan.output.files[1] == 'b(1).rs'", true),
        ("$.stages['plan'].status == 'completed'", true),
        ("$.iteration<3", true),
        // Texts.
        ("'it\\'s' == \"it's\"", true),
        ("'\\\"' == '\"'", true),
        ("'\\\\' == \"\\u005c\"", true),
        ("'\\b\\f\\n\\r\\t\\/' == '\u{8}\u{c}\n\r\t/'", true),
        ("'\\u00e4' == 'ä'", true),
        ("'\\uD83E\\udd80' == '🦀'", true),
        ("'$.done' == '$.done'", true),
        ("'a || b' == 'a || b' && true", true),
    ];
    let document = document();
    for (text, expected) in table {
        let condition = Condition::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(condition.eval(&document), expected, "{text}");
    }
}

#[test]
fn a_condition_holds_for_no_document_that_is_not_an_object() {
    let condition = Condition::parse("$.done || $.score >= 1 || $[0] == 1").unwrap();
    for (document, expected) in
        [(json!(null), false), (json!("done"), false), (json!([1]), true), (json!({"done": true}), true)]
    {
        assert_eq!(condition.eval(&document), expected, "{document}");
    }
    assert!(Condition::parse("$").unwrap().eval(&json!(true)));
    assert!(Condition::parse("$ == 5").unwrap().eval(&json!(5)));
}

const EMPTY: &str = "the condition is empty: write `true` for one that always holds";
const OPERAND: &str = "an operand is missing here: write a query, `$.x`, or a value";
const JOIN: &str = "write `&&` or `||` before this, or remove it";
const INSIDE: &str = "write `&&`, `||` or `)` before this, or remove it";
const SINGULAR: &str =
    "a query in a comparison must select one value: use names and indexes only, as in `$.xs[0].y`";
const ALONE: &str = "a value alone is not a condition: compare it, as in `$.x == 1`";
const NAME: &str = "a name must stand after the dot, as in `$.vars.x`";
const INTERPOLATION: &str = "`${…}` has no place in a condition: write the name as a query, as in `$.vars.x`";
const PATH: &str = "the query is not JSONPath (RFC 9535) from here on: \
                    write it as in `$.xs[0].name` or `$.xs[?@.n > 1]`";
const ESCAPE: &str = "unknown escape: write `\\\\` for a backslash; others are \
                      `\\'` `\\\"` `\\/` `\\b` `\\f` `\\n` `\\r` `\\t` `\\u0041`";
const CHAINED: &str = "comparisons cannot be chained: write `a < b && b < c`";
const NOT: &str = "`!` is for one operand: write `!(… == …)` to negate a comparison";

#[test]
fn an_invalid_condition_is_an_error_that_says_what_to_write() {
    let table = [
        ("", 0, EMPTY),
        (" \n", 0, EMPTY),
        // Grammar.
        ("&& true", 0, OPERAND),
        ("true &&", 7, OPERAND),
        ("true && || true", 8, OPERAND),
        ("!", 1, OPERAND),
        ("()", 1, OPERAND),
        ("$.a ==", 6, OPERAND),
        ("== 1", 0, OPERAND),
        ("$.a == (1)", 7, OPERAND),
        ("$.a == !true", 7, OPERAND),
        ("true true", 5, JOIN),
        ("$.a $.b", 4, JOIN),
        ("($.a) == true", 6, JOIN),
        ("true)", 4, JOIN),
        ("(true", 0, "`(` is not closed: add a `)`"),
        ("true && (true || (false)", 8, "`(` is not closed: add a `)`"),
        ("(true true)", 6, INSIDE),
        ("1 < 2 < 3", 6, CHAINED),
        ("$.a == $.b == $.c", 11, CHAINED),
        ("!$.a == 1", 5, NOT),
        ("!!$.a == 1", 6, NOT),
        ("1", 0, ALONE),
        ("true && 'text'", 8, ALONE),
        ("null", 0, ALONE),
        // Operators of other languages.
        ("$.a = 1", 4, "`=` compares nothing: write `==`"),
        ("$.a === 1", 6, "`=` compares nothing: write `==`"),
        ("$.a & $.b", 4, "write `&&` for and"),
        ("$.a | $.b", 4, "write `||` for or"),
        ("$.a and $.b", 4, "write `&&` for and"),
        ("$.a or $.b", 4, "write `||` for or"),
        ("not $.a", 0, "write `!` for not"),
        ("done", 0, "`done` is not an operand: write `$.done` for the name or `'done'` for the text"),
        ("$.a == yes", 7, "`yes` is not an operand: write `$.yes` for the name or `'yes'` for the text"),
        ("True", 0, "`True` is not an operand: write `$.True` for the name or `'True'` for the text"),
        ("$vars", 1, "`vars` is not an operand: write `$.vars` for the name or `'vars'` for the text"),
        ("@.a", 0, "`@` has a meaning only in a filter, `[?@.x]`: write `$`"),
        (
            "length($.a) > 1",
            0,
            "functions are allowed only in a filter: `$.xs[?length(@.y)]`, not `length(…)`",
        ),
        ("true ; false", 5, "';' is not allowed here: write a query, `$.x`, a number or a text in quotes"),
        ("🦀", 0, "'🦀' is not allowed here: write a query, `$.x`, a number or a text in quotes"),
        ("${vars.x}", 0, INTERPOLATION),
        ("$.a == ${vars.x}", 7, INTERPOLATION),
        // Literals.
        ("$.a == 'x", 7, "the text is not closed: add a `'`"),
        ("$.a == \"x'", 7, "the text is not closed: add a `\"`"),
        ("$.a == 'x\\'", 7, "the text is not closed: add a `'`"),
        ("$.a == 'x\\y'", 9, ESCAPE),
        ("$.a == '\\u12g4'", 8, ESCAPE),
        ("$.a == '\\u+123'", 8, ESCAPE),
        ("$.a == '\\ud800'", 8, ESCAPE),
        ("$.a == '\\ud800\\u0041'", 8, ESCAPE),
        ("$.a == 01", 7, "`01` is not a number: write it as in JSON, `8`, `-0.5` or `1e3`"),
        ("$.a == 1.", 7, "`1.` is not a number: write it as in JSON, `8`, `-0.5` or `1e3`"),
        ("$.a == -", 7, "`-` is not a number: write it as in JSON, `8`, `-0.5` or `1e3`"),
        ("$.a == 5m", 7, "`5m` is not a number: write it as in JSON, `8`, `-0.5` or `1e3`"),
        // Queries.
        ("$.", 2, NAME),
        ("$.a.", 4, NAME),
        ("$. a", 2, NAME),
        ("$...a", 3, NAME),
        ("$.a.0", 4, "write `[0]` for an index, not `.0`"),
        ("$.stages.plan-b.output", 9, "write `['plan-b']` for a name like this one, not `.plan-b`"),
        ("$.2nd", 2, "write `['2nd']` for a name like this one, not `.2nd`"),
        ("$.a[0", 3, "`[` is not closed: add a `]`"),
        ("$.a[?(@.b]", 9, "this `]` closes nothing: remove it"),
        ("$.a[?count(@.b", 10, "`(` is not closed: add a `)`"),
        ("$.a['b]", 4, "the text is not closed: add a `'`"),
        ("$.a[]", 3, PATH),
        ("true && $.a[b]", 11, PATH),
        ("$.a[01]", 5, PATH),
        // Comparisons need singular queries.
        ("$.a[*] == 1", 0, SINGULAR),
        ("$.a.* == 1", 0, SINGULAR),
        ("$..a == 1", 0, SINGULAR),
        ("$.a[0:1] == 1", 0, SINGULAR),
        ("$.a['b','c'] == 1", 0, SINGULAR),
        ("$.a[0,1] == 1", 0, SINGULAR),
        ("1 == $.a[?@.b == 1].c", 5, SINGULAR),
        ("true && $..['a'] != 1", 8, SINGULAR),
    ];
    for (text, offset, message) in table {
        let error = Condition::parse(text).expect_err(text);
        assert_eq!((error.offset, error.message.as_str()), (offset, message), "{text}");
    }
}

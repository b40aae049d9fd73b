//! Random texts, values and conditions that refer to existing names.

use serde_json::{Value, json};

use crate::reference::chance::Chance;

/// The names that a place of a definition can use.
#[derive(Clone, Copy)]
pub(super) struct Names<'a> {
    pub stage: usize,
    pub stages: usize,
    /// Nodes that come before.
    pub nodes: &'a [String],
    /// Variables that earlier nodes set.
    pub own: &'a [String],
    pub in_body: bool,
}

impl Names<'_> {
    fn stage(&self, chance: &mut Chance) -> String {
        format!("s{}", chance.below(self.stages))
    }

    /// An expression, usually one that can be resolved.
    fn expression(&self, chance: &mut Chance) -> String {
        let stage = self.stage(chance);
        if !self.nodes.is_empty() && chance.percent(45) {
            let node = chance.one(self.nodes);
            return match chance.below(12) {
                0..=5 => format!("${{nodes.{node}.output:-gone}}"),
                6..=8 => format!("${{nodes.{node}.output.score:-0}}"),
                9..=10 => format!("${{nodes.{node}.status}}"),
                _ => format!("${{nodes.{node}.output}}"),
            };
        }
        if !self.own.is_empty() && chance.percent(30) {
            return format!("${{vars.{}:-unset}}", chance.one(self.own));
        }
        if self.in_body && chance.percent(50) {
            return (*chance.one(&["${item}", "${item}", "${item.k:-no}"])).to_owned();
        }
        match chance.below(30) {
            0..=6 => format!("${{stages.{stage}.output:-none}}"),
            7..=9 => format!("${{stages.{stage}.output.score:-0}}"),
            10 => format!("${{stages.{stage}.status:-never}}"),
            11 => format!("${{stages.{stage}.results[0].output:-none}}"),
            12..=13 => format!("${{vars.w_{stage}:-unset}}"),
            14..=15 if stage != format!("s{}", self.stage) => format!("${{vars.w_{stage}_a:-unset}}"),
            14..=17 => "${vars.n}".to_owned(),
            18..=20 => "${vars.o}".to_owned(),
            21 => "${vars.o.xs[1]}".to_owned(),
            22 => "${run.id} of ${run.workflow}".to_owned(),
            23..=24 => "${stage.id}".to_owned(),
            25 => "$${vars.n} for $5".to_owned(),
            26 if chance.percent(20) => "${vars.missing}".to_owned(),
            _ => "${iteration}".to_owned(),
        }
    }

    /// An expression outside of all stages.
    pub(super) fn output(&self, chance: &mut Chance) -> String {
        let stage = self.stage(chance);
        match chance.below(12) {
            0..=3 => format!("${{stages.{stage}.output:-none}}"),
            4..=5 => format!("${{stages.{stage}.output.score:-0}}"),
            6 => format!("${{vars.w_{stage}:-unset}}"),
            7 => "${vars.o}".to_owned(),
            8 => "${vars.n} of ${run.id}".to_owned(),
            9 if chance.percent(20) => format!("${{stages.{stage}.output.gone}}"),
            _ => "${run.workflow}".to_owned(),
        }
    }

    pub(super) fn text(&self, chance: &mut Chance) -> String {
        let expression = self.expression(chance);
        match chance.below(3) {
            0 => expression,
            1 => format!("Say {expression}!"),
            _ => format!("{expression}, {}", self.expression(chance)),
        }
    }

    /// A value for an input, or for the items of a node.
    pub(super) fn value(&self, chance: &mut Chance) -> Value {
        match chance.below(5) {
            0 => json!({ "a": [self.expression(chance), 1], "b": null }),
            1 => json!([chance.below(9), true]),
            _ => self.text(chance).into(),
        }
    }

    /// The value of a variable; constant, or computed from the output.
    pub(super) fn set(&self, chance: &mut Chance, constant: bool) -> Value {
        if constant {
            return format!("set by {}", self.nodes.len()).into();
        }
        match chance.below(20) {
            0..=7 => "${output}".into(),
            8..=13 => "${output.score:-none}".into(),
            14..=17 => json!({ "of": "${iteration}", "was": "${output.flag:-no}" }),
            18 => "${output.score}".into(),
            _ => json!(["set", "${vars.n}"]),
        }
    }

    pub(super) fn condition(&self, chance: &mut Chance) -> String {
        let simple = self.comparison(chance);
        match chance.below(6) {
            0 => format!("{simple} || {}", self.comparison(chance)),
            1 => format!("{simple} && {}", self.comparison(chance)),
            2 => format!("!({simple})"),
            _ => simple,
        }
    }

    fn comparison(&self, chance: &mut Chance) -> String {
        let stage = self.stage(chance);
        if !self.nodes.is_empty() && chance.percent(60) {
            let node = chance.one(self.nodes);
            return match chance.below(5) {
                0 => format!("$.nodes.{node}.output.score >= 5"),
                1 => format!("$.nodes.{node}.status == 'skipped'"),
                2 => format!("$.nodes.{node}.output.flag"),
                3 => format!("$.nodes.{node}.output == 'yes'"),
                _ => format!("$.nodes['{node}'].status == 'completed'"),
            };
        }
        if self.in_body && chance.percent(60) {
            return (*chance.one(&["$.item != 2", "$.item.k == 'v'", "$.item[0] == 1", "$.item < 3"]))
                .to_owned();
        }
        match chance.below(9) {
            0 => "$.vars.flag == true".to_owned(),
            1 => "$.vars.flag != true".to_owned(),
            2 => "$.iteration > 1".to_owned(),
            3 => "$.iteration == 1".to_owned(),
            4 => format!("$.stages.{stage}.status == 'completed'"),
            5 => format!("$.stages.{stage}.status != 'failed'"),
            6 => format!("$.stages.{stage}.output.flag"),
            7 => format!("$.vars.w_{stage} != 'none'"),
            _ => format!("$.stages.{stage}.results[0].status == 'completed'"),
        }
    }
}

/// A prompt with the grammar of roles, whose names usually have values.
pub(super) fn template(chance: &mut Chance) -> String {
    let parts = [
        "Say {{vars.n}} of {{run.id}}",
        "{{#if vars.flag}}Pass {{iteration}}{{else}}Again{{/if}}",
        "{{#each vars.o.xs}}[{{this}}]{{/each}}",
        "With{{#each inputs}}\n{{json this}}{{/each}}",
        "{{json vars.o}}",
        "{{#if vars.gone}}Gone{{else}}Here{{/if}}",
        "  {{vars.o.k}}  ",
    ];
    match chance.below(20) {
        0 => "{{vars.missing}}".to_owned(),
        1..=9 => format!("{}: {}", chance.one(&parts), chance.one(&parts)),
        _ => (*chance.one(&parts)).to_owned(),
    }
}

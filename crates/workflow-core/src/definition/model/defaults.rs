//! What a workflow sets for all its stages.

use std::borrow::Cow;

use super::workflow::{Stage, Workflow};

impl Workflow {
    /// The workflow with its [`defaults`](Workflow::defaults) filled in at each stage, and none left.
    ///
    /// ```
    /// use workflow_core::definition::{Stage, Workflow};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let workflow = Workflow::new("review".parse()?, "Review")
    ///     .defaults(Stage::new("codex").option("model", "small"))
    ///     .stage("plan".parse()?, Stage::default())
    ///     .stage("review".parse()?, Stage::default().option("effort", "high"));
    /// let full = workflow.with_defaults();
    /// assert_eq!(full.stages["plan"].provider.as_deref(), Some("codex"));
    /// let options = full.stages["review"].with.as_ref().ok_or("no options")?;
    /// assert_eq!((&options["model"], &options["effort"]), (&"small".into(), &"high".into()));
    /// # Ok(())
    /// # }
    /// ```
    pub fn with_defaults(&self) -> Cow<'_, Self> {
        let Some(defaults) = &self.defaults else { return Cow::Borrowed(self) };
        // What defaults say and a stage of `finally` cannot have.
        let last = Stage {
            approval: None,
            on_interrupt: None,
            end_when: None,
            min_iterations: None,
            ..(**defaults).clone()
        };
        let stages = self.stages.iter().map(|(id, stage)| {
            let defaults = if self.finally.contains(id) { &last } else { defaults };
            (id.clone(), stage.or(defaults))
        });
        Cow::Owned(Self { defaults: None, stages: stages.collect(), ..self.clone() })
    }
}

impl Stage {
    /// The stage with the values of `defaults` for the fields that it leaves out. `with`, `env` and `set` are merged,
    /// entry by entry. Options are for a provider: a stage that names another one has only its own.
    #[must_use]
    pub fn or(&self, defaults: &Self) -> Self {
        let own = self.clone();
        let names_none = |stage: &Self| stage.provider.is_none() && stage.providers.is_empty();
        let is_same = self.provider == defaults.provider && self.providers == defaults.providers;
        let options = defaults.with.as_ref().filter(|_| names_none(self) || names_none(defaults) || is_same);
        let with = match (own.with, options) {
            (Some(own), Some(options)) => {
                let mut merged = options.clone();
                merged.extend(own);
                Some(merged)
            }
            (own, options) => own.or_else(|| options.cloned()),
        };
        let (mut env, mut set) = (defaults.env.clone(), defaults.set.clone());
        env.extend(own.env);
        set.extend(own.set);
        let (provider, providers) = if names_none(self) {
            (defaults.provider.clone(), defaults.providers.clone())
        } else {
            (own.provider, own.providers)
        };
        Self {
            provider,
            role: own.role.or_else(|| defaults.role.clone()),
            profile: own.profile.or_else(|| defaults.profile.clone()),
            mode: own.mode.or(defaults.mode),
            providers,
            parallel_strategy: own.parallel_strategy.or(defaults.parallel_strategy),
            on_failure: own.on_failure.or(defaults.on_failure),
            retries: own.retries.or(defaults.retries),
            retry_backoff: own.retry_backoff.or(defaults.retry_backoff),
            min_iterations: own.min_iterations.or(defaults.min_iterations),
            skills: if own.skills.is_empty() { defaults.skills.clone() } else { own.skills },
            prompt: own.prompt.or_else(|| defaults.prompt.clone()),
            template: own.template.or(defaults.template),
            with,
            when: own.when.or_else(|| defaults.when.clone()),
            end_when: own.end_when.or_else(|| defaults.end_when.clone()),
            inputs: if own.inputs.is_empty() { defaults.inputs.clone() } else { own.inputs },
            set,
            output: own.output.or(defaults.output),
            output_schema: own.output_schema.or_else(|| defaults.output_schema.clone()),
            repairs: own.repairs.or(defaults.repairs),
            timeout: own.timeout.or(defaults.timeout),
            idle_timeout: own.idle_timeout.or(defaults.idle_timeout),
            env,
            cwd: own.cwd.or_else(|| defaults.cwd.clone()),
            session: own.session.or(defaults.session),
            on_interrupt: own.on_interrupt.or(defaults.on_interrupt),
            approval: own.approval.or_else(|| defaults.approval.clone()),
            budget: own.budget.or(defaults.budget),
        }
    }
}

//! A run in a world that a list of numbers controls: which call ends next and how, which gets a slot, when
//! time passes, which control requests are sent, and when the host dies.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::json;
use workflow_core::actor::Actor;
use workflow_core::data::Data;
use workflow_core::definition::{Mode, ParallelStrategy};
use workflow_core::event::{Event, EventBody, RunCreated};
use workflow_core::failure::{Failure, FailureClass};
use workflow_core::ids::{NodePath, StageId};
use workflow_core::machine::{self, ChildOutcome, Decision, Effect, Input, State};
use workflow_core::plan::Plan;
use workflow_core::priority::Priority;
use workflow_core::provider::{ProviderError, Reply};
use workflow_core::status::{RunStatus, WaitReason};
use workflow_core::stop::Stop;
use workflow_core::store::{Answer, Control, ControlRecord, RunHead};
use workflow_core::usage::{Spent, Usage};

use crate::calls;
use crate::plans::Case;

pub(crate) struct World {
    plan: Arc<Plan>,
    pub state: State,
    pub log: Vec<Event>,
    now: Timestamp,
    choices: std::vec::IntoIter<u16>,
    /// The running calls, and whether they were told to stop.
    calls: BTreeMap<NodePath, (u32, bool)>,
    queue: Vec<(NodePath, Arc<str>)>,
    timers: Vec<(Timestamp, NodePath)>,
    /// The requested outputs of items.
    collections: Vec<(NodePath, Vec<u64>)>,
    controls: u64,
    /// Whether no process drives it.
    left: bool,
    /// Calls that ended, to be reported again.
    over: Vec<(NodePath, u32)>,
    /// Whether control requests name who sends them.
    named: bool,
}

impl World {
    /// A run that was just created and claimed.
    pub(crate) fn new(case: &Case, seed: u64, choices: Vec<u16>) -> Self {
        Self::started_by(None, case, seed, choices)
    }

    /// The same, with the name of who started it, and names with all control requests.
    pub(crate) fn named(case: &Case, seed: u64, choices: Vec<u16>) -> Self {
        Self::started_by(Some(Actor::new("starter")), case, seed, choices)
    }

    fn started_by(by: Option<Actor>, case: &Case, seed: u64, choices: Vec<u16>) -> Self {
        let Case { plan, on_failure, interactive } = case;
        let named = by.is_some();
        let created = RunCreated {
            run: "r".parse().unwrap(),
            workflow: plan.workflow().id.clone(),
            bundle: plan.hash().clone(),
            vars: [("p".to_owned(), Data::new(&json!("q")))].into(),
            labels: BTreeMap::new(),
            on_failure: *on_failure,
            interactive: *interactive,
            max_iters: None,
            isolated: false,
            slot: None,
            priority: Priority::NORMAL,
            parent: None,
            budget: None,
            seed,
            by: by.map(Arc::new),
            signature: None,
        };
        let at = "2026-01-02T03:04:05Z".parse().unwrap();
        let first = Event { seq: 1, at, body: EventBody::RunCreated(Arc::new(created)) };
        Self::taken_up(plan, vec![first], choices, named)
    }

    /// A run that is resumed from its log.
    pub(crate) fn recovered(plan: &Arc<Plan>, log: Vec<Event>, choices: Vec<u16>) -> Self {
        Self::taken_up(plan, log, choices, false)
    }

    fn taken_up(plan: &Arc<Plan>, log: Vec<Event>, choices: Vec<u16>, named: bool) -> Self {
        let state = State::fold(&log).unwrap();
        let mut world = Self {
            plan: plan.clone(),
            controls: state.last_control(),
            state,
            now: log.last().unwrap().at,
            log,
            choices: choices.into_iter(),
            calls: BTreeMap::new(),
            queue: Vec::new(),
            timers: Vec::new(),
            collections: Vec::new(),
            left: false,
            over: Vec::new(),
            named,
        };
        world.feed(Input::TakenUp { controls: Vec::new(), heard: None });
        world
    }

    /// The next control request, as a store has recorded it.
    fn record(&mut self, control: Control) -> ControlRecord {
        self.controls += 1;
        let number = self.controls;
        let actor = || Actor::new(format!("person {number}")).via("world");
        if self.named {
            ControlRecord::new(number, control.by(actor()))
        } else {
            ControlRecord::new(number, control)
        }
    }

    /// Executes the chosen events, and then the rest without further faults.
    pub(crate) fn play(&mut self) {
        while !self.state.status().is_terminal()
            && let Some(choice) = self.choices.next()
        {
            self.step(choice);
        }
        for _ in 0..5_000 {
            if self.state.status().is_terminal() {
                return;
            }
            self.go_on();
        }
        panic!(
            "the run does not end: {}",
            workflow_tests::log::show_events(&self.log[self.log.len() - 40..])
        );
    }

    fn choose(&mut self, most: usize) -> usize {
        self.choices.next().map_or(0, |choice| usize::from(choice) % most)
    }

    fn step(&mut self, choice: u16) {
        if self.left && choice.is_multiple_of(4) {
            return self.go_on();
        }
        match choice % 64 {
            0..=26 if !self.calls.is_empty() => self.end_a_call(),
            27 if !self.calls.is_empty() => self.lose_a_call(),
            28..=39 if !self.queue.is_empty() => {
                let number = self.choose(self.queue.len());
                self.grant(number);
            }
            40..=47 if !self.timers.is_empty() => self.ring(),
            48..=51 if !self.collections.is_empty() => self.collect(),
            52..=54 => self.control(if choice < 32_000 { Control::Pause } else { Control::Resume }),
            55..=56 => self.control(Control::Resume),
            57 if choice > 50_000 => self.control(Control::Cancel),
            57 if choice > 40_000 => self.control(Control::Kill),
            58 => self.crash(),
            59 => self.shut_down(),
            60 => self.overtaken(),
            61 => self.answer(true),
            62 => self.usage(),
            _ => self.session(),
        }
    }

    /// The next necessary event, whatever was chosen.
    fn go_on(&mut self) {
        let view = self.state.view();
        if view.wait.as_ref().is_some_and(|wait| wait.reason == WaitReason::Pause) {
            self.control(Control::Resume);
        } else if view.waits.iter().any(|wait| wait.number.is_some()) && self.state.rests() {
            self.answer(false);
        } else if self.state.rests() {
            self.wake();
        } else if !self.calls.is_empty() {
            self.end_a_call();
        } else if !self.queue.is_empty() {
            self.grant(0);
        } else if !self.collections.is_empty() {
            self.collect();
        } else if !self.timers.is_empty() {
            self.ring();
        } else {
            panic!("stuck: {:#?}", self.state);
        }
    }

    /// Decides, compares the live state with the fold of the stored events, and carries out the effects.
    fn feed(&mut self, input: Input) {
        let mut inputs = vec![input];
        while let Some(input) = inputs.pop() {
            let mut folded = self.state.clone();
            let mut decision = Decision::new();
            machine::decide(&self.plan, &mut self.state, input, self.now, &mut decision).unwrap();
            let head = promised(&folded);
            let unwanted = decision.events.iter().any(|event| self.makes_calls_unwanted(&event.body));
            for event in decision.events {
                let stored = serde_json::to_string(&event).unwrap();
                folded.apply(&serde_json::from_str(&stored).unwrap()).unwrap();
                self.log.push(event);
            }
            assert_eq!(folded, self.state, "the fold of the log is the live state");
            assert!(decision.head_changed || head == promised(&self.state), "a new head is announced");
            for (number, effect) in decision.effects.iter().enumerate() {
                assert!(!decision.effects[..number].contains(effect), "asked for twice: {effect:?}");
            }
            for effect in decision.effects {
                inputs.extend(self.carry_out(effect));
            }
            let goes_on = self.calls.values().any(|(_, stopped)| !stopped);
            assert!(!(unwanted && goes_on), "what is not wanted any more is stopped");
        }
        self.compare_calls();
        self.left = false;
        if self.state.rests() {
            assert!(self.calls.is_empty(), "a run that waits has no running calls");
            // Its driver leaves, unless an input arrives at the same moment.
            match self.choose(12) {
                10 if !self.state.status().is_terminal() => self.answer(true),
                11 if !self.state.status().is_terminal() => self.control(Control::Resume),
                _ => {
                    self.forget();
                    self.left = true;
                }
            }
        }
    }

    fn forget(&mut self) {
        self.queue.clear();
        self.timers.clear();
        self.collections.clear();
    }

    /// The time that the run waits for is due, and another driver resumes it.
    fn wake(&mut self) {
        let until = self.state.view().wait.unwrap().until.unwrap();
        self.now = self.now.max(until);
        self.state = State::fold(&self.log).unwrap();
        self.feed(Input::TakenUp { controls: Vec::new(), heard: None });
    }

    /// A person answers: a valid answer, or any.
    fn answer(&mut self, anything: bool) {
        let mut waits = self.state.view().waits;
        waits.retain(|wait| wait.number.is_some());
        let number = self.choose(waits.len().max(1));
        let wait = waits.get(number).filter(|_| !anything || self.choose(8) > 0).cloned();
        let schema = wait.as_ref().and_then(|wait| wait.schema.as_ref()).map(Data::value).unwrap_or_default();
        let fits = match wait.as_ref().map(|wait| wait.reason) {
            Some(WaitReason::Approval) => [json!(true), json!({ "approved": false, "comment": "no" })],
            Some(WaitReason::UnknownOutcome) => {
                [json!("rerun"), json!({ "outcome": "happened", "result": { "done": true } })]
            }
            _ => match schema["enum"].as_array() {
                Some(choices) => [choices[0].clone(), choices[choices.len() - 1].clone()],
                None if schema.is_null() => [json!("this"), json!("that")],
                None => [json!({ "done": true }), json!({ "done": false })],
            },
        };
        let value = match self.choose(8) {
            6 if anything => json!(17),
            7 if anything => json!({ "approved": "perhaps" }),
            chosen => fits[usize::from(chosen == 5)].clone(),
        };
        let wait = wait.and_then(|wait| wait.number).unwrap_or(1);
        self.control(Control::Answer(Answer { wait, value: Data::new(&value) }));
    }

    /// A call reports its usage so far.
    fn usage(&mut self) {
        if let Some((path, (attempt, _))) = self.calls.iter().next() {
            let (path, attempt) = (path.clone(), *attempt);
            let usage = usage(self.choose(6));
            self.feed(Input::Used { path, attempt, usage });
        }
    }

    fn makes_calls_unwanted(&self, body: &EventBody) -> bool {
        match body {
            EventBody::CancelRequested { .. } => true,
            EventBody::AttemptSucceeded { path, .. } => {
                !self.plan.bundle().profiles.contains_key(&path.stage) && self.is_race(&path.stage)
            }
            EventBody::LaneCompleted { stage, .. } => self.is_race(stage),
            _ => false,
        }
    }

    fn is_race(&self, stage: &StageId) -> bool {
        let stage = &self.plan.workflow().stages[stage];
        stage.mode == Some(Mode::Parallel) && stage.parallel_strategy == Some(ParallelStrategy::Race)
    }

    /// The output in the event with that number.
    fn output(&self, seq: u64) -> Data {
        let event = self.log.iter().find(|event| event.seq == seq);
        match &event.unwrap().body {
            EventBody::AttemptSucceeded { output, .. } | EventBody::NodeCompleted { output, .. } => {
                output.clone()
            }
            _ => Data::NULL,
        }
    }

    fn carry_out(&mut self, effect: Effect) -> Option<Input> {
        match effect {
            Effect::Acquire { path, provider } => {
                let waits = self.state.status() == RunStatus::Paused || self.state.view().requested.is_some();
                assert!(
                    !waits,
                    "nothing starts, so no place is asked for {path} {}",
                    workflow_tests::log::show_events(&self.log)
                );
                if self.queue.iter().any(|(queued, _)| *queued == path) {
                    return None;
                }
                match self.choose(20) {
                    0..=14 => Some(Input::Granted { path, provider }),
                    15..=18 => {
                        self.queue.push((path.clone(), provider.clone()));
                        Some(Input::Queued { path, provider })
                    }
                    _ => {
                        let failure = Failure::new(FailureClass::Permanent, "unknown provider");
                        Some(Input::Refused { path, failure })
                    }
                }
            }
            Effect::Call { path, attempt, provider } => {
                calls::check(&self.plan, &self.state, &path, attempt, &provider);
                let before = self.calls.insert(path.clone(), (attempt, false));
                assert_eq!(before, None, "{path} is called while it is being called");
                None
            }
            Effect::Stop { path, .. } => {
                self.calls.get_mut(&path).expect("a stopped call is still running").1 = true;
                None
            }
            Effect::Timer { path, at } => {
                self.timers.push((at, path));
                None
            }
            Effect::Collect { path, ended } => {
                self.collections.push((path, ended));
                None
            }
            // Runs that nodes start end at once, or as soon as they are looked at again.
            Effect::Child { path, attempt, how } => {
                let child = machine::child(&self.plan, &self.state, &path, attempt)?;
                if how == Stop::None && self.choose(4) == 0 {
                    return Some(Input::ChildSeen { path, attempt });
                }
                let result = match self.choose(3) {
                    0 => Err(Failure::new(FailureClass::Transient, "the run failed")),
                    _ => Ok(Data::new(&json!("made"))),
                };
                let run = child.started.run.clone();
                let (status, spent) = (Some(RunStatus::Completed), Spent::default());
                let outcome = Box::new(ChildOutcome { run, status, spent, result });
                Some(Input::ChildEnded { path, attempt, outcome })
            }
            Effect::Reclaim { .. } => panic!("nothing is reclaimed of a live run"),
        }
    }

    /// The running calls are those that the state would reclaim.
    fn compare_calls(&self) {
        let effects = machine::pending(&self.plan, &self.state).into_iter();
        let mut reclaimed: Vec<_> = effects
            .filter_map(|effect| match effect {
                Effect::Reclaim { path, attempt, .. } => Some((path, attempt)),
                _ => None,
            })
            .collect();
        reclaimed.sort();
        let calls = self.calls.iter().map(|(path, (attempt, _))| (path.clone(), *attempt));
        assert!(calls.eq(reclaimed), "the state knows which calls are running");
    }

    /// The process that made a call dies, and the run continues.
    fn lose_a_call(&mut self) {
        let number = self.choose(self.calls.len());
        let path = self.calls.keys().nth(number).unwrap().clone();
        let (attempt, _) = self.calls.remove(&path).unwrap();
        let others = self.calls.clone();
        self.over.push((path.clone(), attempt));
        let heard = (self.choose(2) > 0).then_some(self.now);
        self.now += Duration::from_secs(1);
        let before = self.log.len();
        self.feed(Input::Lost { path: path.clone(), attempt, heard });
        let no_other = |event: &Event| match &event.body {
            EventBody::AttemptInterrupted { path: of, .. } => *of == path,
            _ => true,
        };
        assert!(self.log[before..].iter().all(no_other), "no other call is interrupted");
        for (other, (attempt, _)) in others {
            assert_eq!(self.calls.get(&other).map(|(attempt, _)| *attempt), Some(attempt), "{other} runs on");
        }
    }

    fn end_a_call(&mut self) {
        let number = self.choose(self.calls.len());
        let path = self.calls.keys().nth(number).unwrap().clone();
        let (attempt, stopped) = self.calls[&path];
        if self.choose(2) == 1 {
            self.feed(Input::Session { path: path.clone(), attempt, session: "s".into() });
        }
        self.calls.remove(&path);
        let result = self.result(stopped);
        self.over.push((path.clone(), attempt));
        self.now += Duration::from_millis(10);
        self.feed(Input::Finished { path, attempt, result: Box::new(result), took: None });
    }

    fn result(&mut self, stopped: bool) -> Result<Reply, ProviderError> {
        let (result, used) = (self.result_alone(stopped), self.choose(6));
        match result {
            Ok(reply) if used > 0 => Ok(Reply { usage: Some(usage(used)), ..reply }),
            Err(mut error) if used > 0 => {
                error.usage = Some(usage(used));
                Err(error)
            }
            result => result,
        }
    }

    fn result_alone(&mut self, stopped: bool) -> Result<Reply, ProviderError> {
        if stopped && self.choose(4) > 0 {
            return Err(ProviderError::cancelled());
        }
        let now = self.now;
        let reply = |value| Ok(Reply::json(&value));
        match self.choose(30) {
            1 => reply(json!({ "done": true, "flag": false })),
            2 => reply(json!({ "done": false, "flag": true })),
            3 => reply(json!({ "recommended_next_stage": "s1" })),
            4 => reply(json!({ "recommended_next_stage": "s4" })),
            5 => reply(json!(null)),
            6 => reply(json!("text")),
            7 => Ok(Reply { session: Some("ended in".into()), ..Reply::json(&json!({ "done": true })) }),
            8..=12 => Err(ProviderError::transient("trouble")),
            13 => Err(ProviderError::permanent("for ever")),
            14 => Err(ProviderError::invalid_output("not that")),
            15..=16 => Err(ProviderError::rate_limited("for a while", Some(now + Duration::from_secs(60)))),
            17 => Err(ProviderError::rate_limited("until just now", Some(now - Duration::from_secs(60)))),
            18 => Err(ProviderError::rate_limited("who knows", None)),
            19 => reply(json!([{ "done": true }, 2, [3]])),
            20 => reply(json!("```json\n{ \"done\": false }\n```")),
            21 => Err(ProviderError::cancelled()),
            _ => reply(json!({ "done": true, "flag": true })),
        }
    }

    /// The outputs of items arrive, or are too large.
    fn collect(&mut self) {
        let number = self.choose(self.collections.len());
        let (path, ended) = self.collections.remove(number);
        let outputs: Vec<_> = ended.iter().map(|seq| self.output(*seq)).collect();
        let result = match self.choose(10) {
            1 => Err(Failure::new(FailureClass::InvalidOutput, "too large")),
            _ => Ok(Data::array(&outputs)),
        };
        self.feed(Input::Collected { path, result });
    }

    fn grant(&mut self, number: usize) {
        let (path, provider) = self.queue.remove(number);
        self.feed(Input::Granted { path, provider });
    }

    fn ring(&mut self) {
        let number = (0..self.timers.len()).min_by_key(|number| self.timers[*number].0).unwrap();
        let (at, path) = self.timers.swap_remove(number);
        self.now = self.now.max(at);
        self.feed(Input::Due { path });
    }

    fn control(&mut self, control: Control) {
        let control = self.record(control);
        if self.left {
            self.state = State::fold(&self.log).unwrap();
            self.feed(Input::TakenUp { controls: vec![control], heard: None });
        } else {
            self.feed(Input::Control(control));
        }
    }

    /// The host dies. Its memory is lost, and another one resumes the run, with a control request that
    /// arrived meanwhile.
    fn crash(&mut self) {
        self.calls.clear();
        self.forget();
        self.state = State::fold(&self.log).unwrap();
        let came = [Control::Pause, Control::Resume, Control::Cancel];
        let mut controls = Vec::new();
        if let Some(control) = came.get(self.choose(12)) {
            let record = self.record(control.clone());
            controls.push(record);
        }
        self.now += Duration::from_secs(1);
        self.feed(Input::TakenUp { controls, heard: None });
    }

    /// The driver stops all calls and leaves; another one resumes the run.
    fn shut_down(&mut self) {
        for (path, (attempt, _)) in std::mem::take(&mut self.calls) {
            let mut decision = Decision::new();
            let input = Input::Interrupted { path, attempt };
            machine::decide(&self.plan, &mut self.state, input, self.now, &mut decision).unwrap();
            assert_eq!(decision.effects, [], "an interruption starts nothing");
            self.log.extend(decision.events);
        }
        self.crash();
    }

    /// Late and duplicate inputs change nothing.
    fn overtaken(&mut self) {
        let mut inputs = Vec::new();
        if self.controls > 0 && self.state.last_control() > 0 {
            let number = self.state.last_control();
            inputs.extend(
                [Control::Pause, Control::Resume, Control::Cancel]
                    .map(|control| Input::Control(ControlRecord::new(number, control))),
            );
        }
        if !self.over.is_empty() {
            let number = self.choose(self.over.len());
            let (path, attempt) = self.over[number].clone();
            let result = Ok(Reply::default());
            inputs.push(Input::Finished {
                path: path.clone(),
                attempt,
                result: Box::new(result),
                took: None,
            });
            inputs.push(Input::Interrupted { path: path.clone(), attempt });
            inputs.push(Input::Lost { path: path.clone(), attempt, heard: Some(self.now) });
            inputs.push(Input::Session { path: path.clone(), attempt, session: "late".into() });
        }
        if let Some((path, _)) = self.calls.iter().next() {
            let (path, provider): (_, Arc<str>) = (path.clone(), "p".into());
            inputs.push(Input::Granted { path: path.clone(), provider: provider.clone() });
            inputs.push(Input::Queued { path: path.clone(), provider });
            inputs.push(Input::Due { path: path.clone() });
            inputs.push(Input::Refused { path, failure: Failure::new(FailureClass::Permanent, "late") });
        }
        let early = self.timers.iter().find(|(at, _)| *at > self.now);
        // A slot that is granted too early, because the clock was set back, is requested again at its time.
        let early = early.map(|(at, path)| (*at, path.clone()));
        if let Some((at, path)) = early {
            let again = Effect::Timer { path: path.clone(), at };
            let granted = Input::Granted { path, provider: "p".into() };
            self.changes_nothing(granted, &[again]);
        }
        for input in inputs {
            self.changes_nothing(input, &[]);
        }
    }

    fn changes_nothing(&mut self, input: Input, effects: &[Effect]) {
        let (before, told) = (self.state.clone(), format!("{input:?}"));
        let mut decision = Decision::new();
        machine::decide(&self.plan, &mut self.state, input, self.now, &mut decision).unwrap();
        assert_eq!(decision.events, [], "{told}");
        assert!(decision.effects.is_empty() || decision.effects == effects, "{told}: {:?}", decision.effects);
        assert_eq!(self.state, before, "{told}");
    }

    fn session(&mut self) {
        if let Some((path, (attempt, _))) = self.calls.iter().next() {
            let (path, attempt) = (path.clone(), *attempt);
            self.feed(Input::Session { path, attempt, session: "s".into() });
        }
    }
}

fn usage(much: usize) -> Usage {
    let tokens = u64::try_from(much * 10).unwrap();
    Usage {
        cost_usd: (!much.is_multiple_of(3)).then_some(0.25),
        input_tokens: Some(tokens),
        output_tokens: (much > 2).then_some(tokens),
    }
}

/// What the head of a run tells for sure: how far a run is that is under way, only its log tells.
fn promised(state: &State) -> RunHead {
    let mut head = state.head();
    head.progress = head.progress.filter(|_| state.rests());
    head
}

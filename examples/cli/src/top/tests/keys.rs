//! What keys do.

use ratatui::crossterm::event::KeyCode::{self, BackTab, Char, Down, End, Enter, Esc, Home, PageUp, Tab, Up};
use serde_json::{Value, json};
use workflow_core::data::Data;
use workflow_core::store::{Answer, Control};

use super::made::{
    asking, detail, failing, line, list, page, planned, press, question, screen, typed, working,
};
use crate::top::message::{Effect, Event, Outcome};
use crate::top::model::Model;

fn sends(control: Control) -> Vec<Effect> {
    vec![Effect::Send { run: "r1".parse().unwrap(), control }]
}

/// The answer to an approval.
fn agrees(value: &Value) -> Vec<Effect> {
    sends(Control::Answer(Answer { wait: 7, value: Data::new(value) }))
}

/// The answer to a question of a node.
fn answers(value: &Value) -> Vec<Effect> {
    sends(Control::Answer(Answer { wait: 8, value: Data::new(value) }))
}

#[test]
fn no_key_alone_sends_anything() {
    let screens: [fn() -> Model; 4] = [
        list,
        || page(&working(), Some("process 7")),
        || page(&asking("Ship it?"), None),
        || page(&failing("no"), None),
    ];
    let keys =
        (' '..='~').map(Char).chain([Enter, Esc, Tab, BackTab, Home, End, Up, Down, PageUp, KeyCode::Delete]);
    for key in keys {
        for screen in screens {
            // Enter confirms nothing that was not selected.
            for keys in [&[key][..], &[key, Enter]] {
                let effects = press(&mut screen(), keys);
                let sent = effects.iter().any(|effect| matches!(effect, Effect::Send { .. }));
                assert!(!sent, "{keys:?}: {effects:?}");
            }
        }
    }
}

#[test]
fn a_confirmed_dialog_sends() {
    let comment = typed("not today");
    let reject = [&[Char('a'), Up, Up, Up, Up][..], &comment, &[Enter, Down, Enter]].concat();
    let approval = asking("Ship it?");
    let three = question("question", &json!({ "enum": ["yes", "no", 3] }));
    let number = question("question", &json!({ "type": "integer", "minimum": 3 }));
    let interrupted = question("unknown_outcome", &json!({}));
    let result = [&[Char('a'), Up, Up, Up, Up][..], &typed("{\"n\": 1}"), &[Enter, Enter]].concat();
    for (events, keys, expected) in [
        (&approval, vec![Char('a'), Up, Up, Enter], agrees(&json!(true))),
        (&approval, vec![Char('a'), Up, Enter], agrees(&json!(false))),
        (&approval, reject, agrees(&json!({ "approved": false, "comment": "not today" }))),
        (&approval, vec![Char('a'), Enter], Vec::new()),
        (&approval, vec![Char('a'), Up, Esc], Vec::new()),
        (&three, vec![Char('a'), Up, Enter], answers(&json!(3))),
        (&three, vec![Char('a'), Up, Up, Up, Enter], answers(&json!("yes"))),
        (&number, [&[Char('a')][..], &typed("4"), &[Enter, Enter]].concat(), answers(&json!(4))),
        (&number, [&[Char('a')][..], &typed("2"), &[Enter, Enter]].concat(), Vec::new()),
        (&interrupted, result, answers(&json!({ "outcome": "happened", "result": { "n": 1 } }))),
        (&interrupted, vec![Char('a'), Up, Up, Enter], answers(&json!({ "outcome": "not_happened" }))),
        (&interrupted, vec![Char('a'), Up, Enter], answers(&json!({ "outcome": "rerun" }))),
        (&working(), vec![Char('p'), Up, Enter], sends(Control::Pause)),
        (&working(), vec![Char('c'), Up, Enter], sends(Control::Cancel)),
        (&working(), vec![Char('c'), Enter], Vec::new()),
    ] {
        let mut model = page(events, Some("process 7"));
        assert_eq!(press(&mut model, &keys), expected, "{keys:?}");
    }
}

#[test]
fn one_of_several_questions_is_chosen() {
    let mut events = planned();
    events.push(("stage_started", json!({ "iteration": 1, "stage": "code", "lanes": 2 })));
    for lane in 0..2 {
        let asked = json!({ "path": format!("1/code[{lane}]/run"), "reason": "question", "question": format!("Q{lane}?") });
        events.push(("node_asked", asked));
    }
    let mut model = page(&events, Some("process 7"));
    press(&mut model, &[Char('a')]);
    assert!(screen(&mut model, 80, 24).contains("[1/code[1]/run] Q1?"));
    press(&mut model, &[Up, Enter]);
    let keys = [&typed("yes")[..], &[Enter, Enter]].concat();
    let answer = Answer { wait: 9, value: Data::new(&json!("yes")) };
    assert_eq!(press(&mut model, &keys), sends(Control::Answer(answer)));
    // Only the other one is still open.
    press(&mut model, &[Char('a')]);
    assert!(screen(&mut model, 80, 24).contains("Q0?"));
}

#[test]
fn a_paused_run_is_resumed_and_what_is_not_possible_is_told() {
    let mut paused = working();
    paused.push(("pause_requested", json!({ "control": 1 })));
    paused.push(("attempt_succeeded", json!({ "path": "1/code[0]/run", "attempt": 1, "output": "x" })));
    paused.push(("run_paused", Value::Null));
    assert_eq!(press(&mut page(&paused, None), &[Char('r'), Up, Enter]), sends(Control::Resume));
    let undriven = "no process drives it: `workflow resume r1` drives it";
    for (events, key, expected) in [
        (&working(), 'r', undriven),
        (&paused, 'p', "paused already"),
        (&asking("Ship it?"), 'r', "something else than a resume"),
        (&working(), 'a', "no open question"),
        (&failing("no"), 'c', "it has ended (failed)"),
    ] {
        let mut model = page(events, None);
        assert_eq!(press(&mut model, &[Char(key)]), [], "{key}");
        let notice = model.notice.as_deref().unwrap_or_default();
        assert!(model.dialog.is_none() && notice.contains(expected), "{key}: {notice}");
    }
}

#[test]
fn a_wrong_answer_says_what_is_wrong_and_pasted_line_ends_send_nothing() {
    let mut model = page(&question("question", &json!({ "type": "integer", "minimum": 3 })), None);
    press(&mut model, &[Char('a')]);
    assert_eq!(model.update(Event::Paste("2\n\n\n".to_owned())), []);
    assert_eq!(press(&mut model, &[Enter, Enter]), []);
    assert!(model.dialog.as_ref().unwrap().problem.as_ref().unwrap().contains('3'), "{:?}", model.dialog);
}

#[test]
fn a_request_shows_until_the_run_shows_it_or_refuses_it() {
    let run = || "r1".parse().unwrap();
    let driven = Some("process 7");
    let requested = |model: &mut Model| screen(model, 80, 24).contains("pause requested ·");
    let ask = || {
        let mut model = page(&working(), driven);
        press(&mut model, &[Char('p'), Up, Enter]);
        assert!(requested(&mut model));
        // Other news of the run change nothing.
        model.update(Event::Run(detail(&working(), driven)));
        assert!(requested(&mut model));
        model
    };
    let mut refused = ask();
    let outcome = Outcome::Refused("it is being cancelled".to_owned());
    refused.update(Event::Sent { run: run(), control: Control::Pause, outcome });
    assert!(!requested(&mut refused));
    assert!(screen(&mut refused, 80, 24).contains("pause was refused: it is being cancelled"));

    let mut recorded = ask();
    recorded.update(Event::Sent { run: run(), control: Control::Pause, outcome: Outcome::Recorded });
    assert!(requested(&mut recorded));
    assert!(screen(&mut recorded, 80, 24).contains("has not decided"));
    let mut pausing = working();
    pausing.push(("pause_requested", json!({ "control": 1 })));
    recorded.update(Event::Run(detail(&pausing, driven)));
    assert!(!requested(&mut recorded));
    assert!(screen(&mut recorded, 80, 24).contains("pause requested, calls end first"));
}

#[test]
fn a_log_is_followed_until_a_person_scrolls_up() {
    let mut model = page(&working(), Some("process 7"));
    let add = |model: &mut Model, number: u64| {
        let lines = vec![line(number, &format!("line {number}"))];
        model.update(Event::Lines { run: "r1".parse().unwrap(), lines, from_start: true });
        screen(model, 80, 24)
    };
    assert!(add(&mut model, 31).contains("line 31"));
    press(&mut model, &[Tab, Up]);
    let before = screen(&mut model, 80, 24);
    let after = add(&mut model, 32);
    let body = |screen: &str| {
        screen.lines().skip_while(|line| !line.contains("Log")).skip(1).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(body(&before), body(&after));
    assert!(after.contains("2 lines below"), "{after}");
    // At the end it is followed again, and so it is after `f`.
    press(&mut model, &[Down, Down]);
    assert!(add(&mut model, 33).contains("line 33"));
    press(&mut model, &[Home, Char('f')]);
    assert!(add(&mut model, 34).contains("line 34"));
}

#[test]
fn the_list_keeps_its_selection_and_filters() {
    let mut model = list();
    let selected = |model: &Model| model.list.selected().unwrap().run_id.to_string();
    assert_eq!(selected(&model), "r1", "what waits for a person is first");
    press(&mut model, &[Down, Down]);
    let chosen = selected(&model);
    model.update(Event::Runs(super::made::listed()));
    assert_eq!(selected(&model), chosen);
    press(&mut model, &[Char('n')]);
    assert!(selected(&model).ends_with('3'), "the failed one");
    press(&mut model, &[Char('n')]);
    assert_eq!(selected(&model), "r1");
    press(&mut model, &typed("/not driven"));
    assert_eq!(model.list.shown().len(), 1);
    // `q` is text here; then it quits.
    press(&mut model, &[Char('q'), Esc]);
    assert_eq!(model.list.shown().len(), 5);
    assert_eq!(press(&mut model, &[Char('q')]), [Effect::Quit]);
}

#[test]
fn the_page_of_a_deleted_run_says_so() {
    let mut model = page(&working(), None);
    model.update(Event::Deleted("r1".parse().unwrap()));
    assert!(screen(&mut model, 80, 24).contains("deleted"));
    assert_eq!(press(&mut model, &[Char('c'), Up, Enter]), []);
    assert_eq!(press(&mut model, &[Esc]), [Effect::Close]);
}

//! `run`, `runs`, `show`: the display of runs, and the exit codes.

use serde_json::json;

use super::home::{Home, stable};

#[test]
fn a_run_is_told_in_lines() {
    let home = Home::with_stages(&[("one", "echo said; echo warned >&2"), ("two", "echo more")]);
    let run = home.run(&["run", "stages.workflow.yml", "--run-id", "first"]);
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""));
    // Output at the end of a call may be shown a line later; it is not an event.
    let is_said = |line: &&str| line.contains("] | ") || line.contains("] ! ");
    let events: Vec<_> = run.stdout.lines().filter(|line| !is_said(line)).collect();
    let mut said: Vec<_> = run.stdout.lines().filter(is_said).collect();
    said.sort_unstable_by_key(|line| line.split_once(' ').map(|(_time, said)| said));
    stable(|| {
        insta::assert_snapshot!(events.join("\n"), @r"
        [time] run first of workflow stages
        [time] one started
        [time] one[0] calls command
        [time] one[0] succeeded after [took]
        [time] one completed
        [time] two started
        [time] two[0] calls command
        [time] two[0] succeeded after [took]
        [time] two completed
        [time] run completed after [took]
        ");
        insta::assert_snapshot!(said.join("\n"), @r"
        [time] one[0] ! warned
        [time] one[0] | said
        [time] two[0] | more
        ");
    });
}

#[test]
fn a_failed_run_says_why() {
    let home = Home::with_stages(&[("one", "true"), ("two", "echo broken >&2; exit 3"), ("three", "true")]);
    let run = home.run(&["run", "stages.workflow.yml", "--run-id", "first"]);
    assert_eq!(run.code, Some(1));
    stable(|| {
        insta::assert_snapshot!(run.stdout.lines().filter(|line| line.contains("failed")).collect::<Vec<_>>().join("\n"), @r"
        [time] two[0] failed after [took]: `sh` exited with code 3 (transient)
        [time] two failed: `sh` exited with code 3 (transient)
        [time] run failed in two after [took]: `sh` exited with code 3 (transient): broken
        ");
        insta::assert_snapshot!(home.run(&["show", "first"]).stdout, @r#"
        run  first
        workflow  stages
        status  failed
        error  `sh` exited with code 3 (transient)
        it printed  broken
        failed stages  two
        iteration  1
        created  [date] by ann (terminal)
        started  [date], [took]
        used  2 attempts, [took], cost unknown, tokens unknown

        STAGE  STATUS  ATTEMPTS  TOOK
        one  completed  [took]
          [0] command  completed  1 attempt  [took]  ""
        two  failed  [took]  `sh` exited with code 3 (transient)
          [0] command  failed  1 attempt  [took]  `sh` exited with code 3 (transient): broken
        "#);
    });
}

#[test]
fn runs_are_listed_the_newest_last_and_filtered() {
    let home = Home::with_stages(&[("one", "test -e good")]);
    home.run(&["run", "stages.workflow.yml", "--run-id", "bad"]);
    home.write("good", "");
    home.run(&["run", "stages.workflow.yml", "--run-id", "good"]);
    home.write("other.workflow.yml", &home.read("stages.workflow.yml"));
    home.run(&["run", "other.workflow.yml", "--run-id", "other"]);
    stable(|| {
        insta::assert_snapshot!(home.run(&["runs"]).stdout, @r"
        RUN  WORKFLOW  STATUS  CREATED  TOOK
        bad  stages  failed  [date]  [took]  `sh` exited with code 1 (transient)
        good  stages  completed  [date]  [took]
        other  other  completed  [date]  [took]
        ");
    });
    for (args, expected) in [
        (&["--status", "failed"][..], &["bad"][..]),
        (&["--status", "failed", "--status", "completed"], &["bad", "good", "other"]),
        (&["--limit", "2"], &["good", "other"]),
        (&["--workflow", "stages", "--limit", "1"], &["good"]),
        (&["--workflow", "other"], &["other"]),
        (&["--workflow", "other", "--status", "failed"], &[]),
    ] {
        let listed = home.run(&[&["runs", "--json"], args].concat());
        let ids: Vec<_> = listed.json().iter().map(|run| run["runId"].as_str().unwrap().to_owned()).collect();
        assert_eq!(ids, expected, "{args:?}");
    }
}

#[test]
fn runs_are_found_by_their_labels() {
    let home = Home::with_stages(&[("one", "true")]);
    let run = |id: &str, labels: &[&str]| {
        let labels: Vec<_> = labels.iter().flat_map(|label| ["--label", label]).collect();
        home.run(&[&["run", "stages.workflow.yml", "--run-id", id], &labels[..]].concat())
    };
    assert_eq!(run("first", &["owner=ann", "ticket=OPS-7"]).code, Some(0));
    assert_eq!(run("second", &["owner=Ann Müller \"%\" = x"]).code, Some(0));
    assert_eq!(run("third", &[]).code, Some(0));
    for (labels, expected) in [
        (&["owner=ann"][..], &["first"][..]),
        (&["ticket=OPS-7", "owner=ann"], &["first"]),
        (&["owner=Ann Müller \"%\" = x"], &["second"]),
        (&["owner=ann", "ticket=OPS-8"], &[]),
    ] {
        let labels: Vec<_> = labels.iter().flat_map(|label| ["--label", label]).collect();
        let listed = home.run(&[&["runs", "--json", "--limit", "1"], &labels[..]].concat());
        let ids: Vec<_> = listed.json().iter().map(|run| run["runId"].as_str().unwrap().to_owned()).collect();
        assert_eq!(ids, expected, "{labels:?}");
    }
    let listed = home.run(&["runs", "--json"]).json();
    assert_eq!(listed[0]["labels"], json!({ "owner": "ann", "ticket": "OPS-7" }));
    assert_eq!(listed[2].get("labels"), None);
    assert_eq!(home.run(&["show", "first", "--json"]).json()[0]["labels"]["ticket"], "OPS-7");
    stable(|| {
        insta::assert_snapshot!(home.run(&["show", "first"]).stdout.lines().take(5).collect::<Vec<_>>().join("\n"), @r"
        run  first
        workflow  stages
        labels  owner=ann
                   ticket=OPS-7
        status  completed
        ");
    });
    // No run is created if a label is invalid, and labels are part of a run's inputs.
    for (labels, said) in [
        (&["the owner=ann"][..], "the label name `the owner` is invalid"),
        (&["owner"], "write name=value"),
        (&["owner=ann", "owner=bob"], "the label `owner` is given twice"),
    ] {
        let refused = run("fourth", labels);
        assert_eq!(refused.code, Some(2), "{refused:?}");
        assert!(refused.stderr.contains(said), "{refused:?}");
    }
    assert_eq!(home.run(&["runs", "--json"]).json().len(), 3);
    assert_eq!(run("first", &["owner=bob"]).code, Some(2));
}

#[test]
fn variables_reach_the_stages_with_their_types() {
    let home = Home::new();
    home.write(
        "vars.workflow.yml",
        r#"
workflow: { name: Variables, stages: [say] }
say:
  with: { command: [printf, "%s/%s", "${vars.text}", "${vars.list}"] }
  set: { second: "${vars.list[1]}" }
"#,
    );
    let run = home.run(&[
        "run",
        "vars.workflow.yml",
        "--json",
        "--var",
        "text=$(id)",
        "--var",
        "list:=[1, {\"a\": 2}]",
    ]);
    let view = run.json().pop().unwrap();
    assert_eq!(view["context"]["stages"]["say"]["output"], r#"$(id)/[1,{"a":2}]"#);
    assert_eq!(view["context"]["vars"]["second"], serde_json::json!({ "a": 2 }));
}

#[test]
fn a_run_of_the_same_id_is_resumed_or_refused() {
    let home = Home::with_stages(&[("one", "echo x >>trace")]);
    let run = |value: &str| {
        home.run(&["run", "stages.workflow.yml", "--run-id", "same", "--var", &format!("v={value}")])
    };
    assert_eq!(run("a").code, Some(0));
    let again = run("a");
    assert_eq!((again.code, again.stdout.as_str()), (Some(0), ""));
    assert!(again.stderr.ends_with("run same has ended already (completed)\n"), "{again:?}");
    assert_eq!(home.read("trace"), "x\n");
    let other = run("b");
    assert_eq!(other.code, Some(2));
    assert!(other.stderr.contains("was started with another workflow, or with other variables"), "{other:?}");
}

#[test]
fn on_failure_replaces_that_of_every_stage() {
    for (policy, code, attempts) in [("stop", 1, 1), ("continue", 0, 1), ("retry", 0, 2)] {
        let home = Home::new();
        home.write(
            "policy.workflow.yml",
            r#"
workflow: { name: A failure, stages: [one, two] }
one:
  retry_backoff: 0
  with: { command: [sh, -c, "echo x >>trace; test $(grep -c x trace) -gt 1"] }
two:
  with: { command: ["true"] }
"#,
        );
        let run = home.run(&["run", "policy.workflow.yml", "--on-failure", policy]);
        assert_eq!(run.code, Some(code), "{policy}: {run:?}");
        assert_eq!(home.read("trace").lines().count(), attempts, "{policy}");
    }
}

#[test]
fn exit_codes_tell_what_came_of_it() {
    let home = Home::with_stages(&[("one", "test ! -e bad")]);
    home.write("invalid.workflow.yml", "workflow: { name: Invalid }");
    home.write(".orch", "");
    let blocked = home.run(&["run", "stages.workflow.yml"]);
    assert_eq!(blocked.code, Some(5), "a home that is a file: {blocked:?}");
    std::fs::remove_file(home.path(".orch")).unwrap();

    home.run(&["run", "stages.workflow.yml", "--run-id", "good"]);
    home.write("bad", "");
    for (args, code) in [
        (&["run", "stages.workflow.yml", "--run-id", "bad"][..], 1),
        (&["run", "invalid.workflow.yml"], 2),
        (&["run", "missing.workflow.yml"], 5),
        (&["run", "missing"], 5),
        (&["run"], 2),
        (&["run", "stages.workflow.yml", "--var", "x"], 2),
        (&["run", "stages.workflow.yml", "--run-id", "not an id"], 2),
        (&["run", "stages.workflow.yml", "--on-failure", "hope"], 2),
        (&["runs", "--status", "odd"], 2),
        (&["show", "good"], 0),
        (&["show", "missing"], 5),
        (&["logs", "missing"], 5),
        (&["logs", "--follow", "missing"], 5),
        (&["pause", "missing"], 5),
        (&["cancel", "missing"], 5),
        (&["resume", "missing"], 5),
        (&["pause", "good"], 6),
        (&["cancel", "good"], 6),
        (&["resume", "good"], 0),
        (&["resume", "bad"], 1),
        (&["answer", "good"], 0),
        (&["answer", "good", "yes"], 6),
        (&["answer", "good", "yes", "--approve"], 2),
        (&["answer", "good", "--comment", "no"], 2),
        (&["answer", "missing"], 5),
        (&["fork", "good"], 2),
        (&["fork", "good", "--at", "1/one"], 2),
        (&["fork", "good", "--at", "99"], 2),
        (&["fork", "good", "--at", "one", "--run-id", "bad"], 2),
        (&["fork", "missing", "--at", "one"], 5),
        (&["rerun", "good", "--from", "nowhere"], 2),
        (&["rerun", "missing"], 5),
        (&["migrate", "good"], 5),
        (&["migrate", "missing"], 5),
        (&["recover"], 0),
        (&["frobnicate"], 2),
        (&["--help"], 0),
        (&["--version"], 0),
    ] {
        let ended = home.run(args);
        assert_eq!(ended.code, Some(code), "{args:?}: {ended:?}");
        assert!(!ended.stderr.contains("panicked"), "{ended:?}");
    }
}

#[test]
fn help_names_the_exit_codes_and_where_secrets_come_from() {
    let help = Home::new().run(&["--help"]).stdout;
    insta::assert_snapshot!(help, @r"
    Runs workflows that are written in YAML: stages with command lines, AI agents and approvals

    Usage: workflow [OPTIONS] <COMMAND>

    Commands:
      init            Create a home with an example workflow. Overwrites nothing
      new             Create a workflow from a template, with the roles, profiles and schemas that it uses. Overwrites nothing
      list            List the workflows of the home
      duplicate       Copy a workflow under another id. Overwrites nothing
      edit            Change fields of a workflow, or open it in your editor (`VISUAL` or `EDITOR`). A text with errors is not saved
      export          Print a workflow with the profiles, roles, schemas and skills that it uses, as one YAML file for `import`
      import          Add a workflow from a file that `export` wrote, with all that it uses. Overwrites nothing
      graph           Draw the stages of a workflow, with loops and what failures do
      estimate        Estimate how long a run of a workflow takes and what it costs, by its earlier runs
      templates       List the templates for `new`
      roles           List the roles of the home, and the variables that they use
      profiles        List the profiles (the graphs of stages) of the home, and their nodes
      validate        Check workflows, and print all errors and warnings
      doctor          Show which agents are installed, their versions and their login status
      schema          Print a JSON Schema of a file format
      run             Start a run, and drive it until it ends or pauses, or leave it to a worker
      runs            List runs, the newest last
      inbox           List all questions, approvals and other waits for a person, over all runs, the oldest first
      show            Show a run: its status, stages, lanes, nodes, variables and errors
      diff            Show what a run with a worktree has changed and committed
      worktree        List the git worktrees of runs, print what a run has committed in its worktree, or remove a worktree
      events          List the events of a run, with the numbers for `fork --at`
      support-bundle  Print what a person needs to help with a run, as JSON, without its prompts, variables and outputs
      logs            Show the output of the programs and agents that a run called
      watch           Show the progress of a run until it ends, whichever process drives it. Ctrl-C stops only the display
      top             Show all runs on a full screen, live: open one, answer what it asks, pause, resume or cancel it. Drives no run
      report          Print a report of a run: what it did, what failed and why, what to do next, what it used
      compare         Compare two runs: their status, times, usage, stages, variables and definitions, and the first point where they differ
      pause           Pause a run: it starts no new calls, and is paused when its current calls have ended
      cancel          Cancel a run: stop its calls, and end it
      kill            Kill a run: kill its calls without a grace period, also those of stages of `finally`, and end it
      resume          Resume a run, and drive it until it ends or pauses, or leave it to a worker
      answer          Show what a run asks, or answer it, and drive the run until it ends or pauses, or leave it to a worker
      signal          Send a signal to a run: a node of type `wait` that names it takes it, now or when it starts
      fork            Create a new run that continues from a point of another run, which is not changed
      rerun           Repeat a run as a new run, from the start or from a stage
      migrate         Compare the definition of a run with the current workflow in the home, or move the run to it
      delete          Delete runs that have ended, with their output
      prune           Delete runs that have ended: old ones, those with a status, or all but the newest
      recover         Resume all unfinished runs that no process drives, as after a crash, including those that wait until a time. Runs that wait for a person stay paused
      worker          Drive the runs of the store that no other process drives, and new ones, until it is stopped
      workers         List the processes that drive runs of the store at the moment, and count the runs that no process drives
      stores          Show where the runs are stored, and how many there are of each status
      store           Look after the store of the runs: what it has, migration, cleaning
      serve           Offer every operation to other programs: over HTTP, or over standard input and output. Runs that are started through it are driven here, and so are those of the store that no other process drives
      studio          Open the studio in the browser: the web page to make, run, watch and answer workflows. Drives runs as `serve` does, until Ctrl-C
      mcp             Offer workflows as tools to the agent that started this program, in the Model Context Protocol over standard input and output. Drives runs as `serve` does, and ends when standard input ends
      completions     Print a script that completes the command line in a shell: `source <(workflow completions bash)`
      man             Print the manual page of this program or of a command: `workflow man run | man -l -`
      help            Print this message or the help of the given subcommand(s)

    Options:
          --home <DIR>         The directory of the workflows, and of the runs unless `--store` names another place [default: the nearest `.orch`]
          --roles <DIR>        Another folder of roles, which is only read; can be given several times. The home's `config/roles.yml` can list folders too (`folders: [DIR]`)
          --store <URL>        The store of the runs: `file:DIR`, `sqlite:PATH` or `postgres://…`
          --store-file <FILE>  A file that contains the URL of the store, in place of `--store`: other processes can read the command line. `/dev/fd/3` reads the file descriptor 3
          --trust-store        Trust this store from now on. A run can execute commands, so the runs of a store that this program has not created for you, such as one that came with a checkout, are shown and not driven
          --json               Print JSON on standard output, an object per line, as the service returns it (`workflow serve`); and an error as JSON on standard error
      -h, --help               Print help
      -V, --version            Print version

    Exit codes:
      0  the run completed, or the command succeeded
      1  the run failed
      2  wrong usage, an invalid definition, or something with that name exists already
      3  the run was cancelled
      4  the run, or one that it has started, waits for a person or a signal: it has a question, names a signal, or is paused
      5  not found, driven or taken over by another process, or the store failed
      6  the run refused the request: it has ended, is being cancelled, has no such question, or was answered already
      7  the request is recorded, and the process that drives the run has not decided on it yet
      129, 143  SIGHUP, SIGTERM: calls were stopped; `workflow recover` resumes the run

    To drive a run is to execute its steps; one process at a time does that. While this program drives a run in the
    foreground, Ctrl-C cancels it: its calls are asked to stop and have a grace period. Ctrl-C again kills them. Ctrl-Z
    suspends the calls with the program, and `fg` continues both. A worker that receives any of the signals SIGINT,
    SIGTERM and SIGHUP stops its calls, leaves its runs to other processes, and exits with 0; a second signal, or
    SIGQUIT, kills the calls that have not stopped. With --drain it first lets its calls end for that long.

    A run pauses when it needs a person: for an approval, for the answer to a question, or to say whether an interrupted
    call did its work. `workflow answer RUN` shows what it asks, `workflow answer RUN ANSWER` answers it. A run whose
    provider is over its quota continues by itself when the quota is refilled, if a worker, `recover` or the command that
    drove it is running then.

    Stores:
      file:DIR           human-readable files, for the processes of one machine
      sqlite:PATH        a database in one file, for the processes of one machine
      postgres://USER:PASSWORD@HOST/DATABASE
                         a PostgreSQL database, for any number of machines
    Without --store, runs are in the database runs.db of the home. A home without that database in which an earlier
    version stored runs as files keeps using them (file:HOME).

    Providers:
      command  runs a command line; the default of stages that name no provider. In a home of the desktop app, which has
               the file config/providers.yml, the default is claude-code, the stages plan, code, test, check, analyze
               and review have default roles, and the roles planner, coder, tester, checker and reviewer need no file
      demo     calls no program or service and makes up its answers, to try workflows out: all templates use it; it can
               also simulate failures, quotas, usage and sessions
      claude-code, codex, gemini, grok
               run the vendors' agents; `workflow doctor` lists those that are installed
      acp      runs any agent that speaks the Agent Client Protocol, as in command: [gemini, --acp]
      http     makes a request to a service; private addresses only where WORKFLOW_PRIVATE_HOSTS names them
      model    asks a model over HTTP, without a program; its prices are in config/prices.yml of the home

    Environment:
      WORKFLOW_STORE     the store, unless --store names one; keeps a password out of the list of processes
      WORKFLOW_SECRETS_DIR
                         a folder with a file for each secret: ${secrets.X} is the text of the file X
      WORKFLOW_SECRET_X  the value of ${secrets.X} where there is no such file
      WORKFLOW_PRIVATE_HOSTS
                         hosts with private addresses that `http` and `model` may reach: localhost:11434,10.1.2.3, or * for all
      WORKFLOW_KEY_FILE  a file with a key: new runs are signed with it, and only runs with its signature are driven
      WORKFLOW_LOG       the log level on standard error: off, error, warn (default), info, debug, trace
      WORKFLOW_LOG_FORMAT
                         `json`: each message of the log is a JSON object on a line of its own

    RUN is the id of a run, the beginning of one, the id of a workflow that has one run, `@latest`, or
    `WORKFLOW@latest`.

    The home is the directory .orch, in the current directory or in the nearest one above it, up to the root of the git
    repository or your home directory. Stages work in the directory that contains the home, wherever in it the command
    was started; with --home, in the current directory. With `run --worktree` they work in a git worktree of the run,
    HOME/worktrees/ID, which starts from the last commit here; this checkout is not changed. `workflow diff RUN` shows
    the changes. Resume such a run from the same repository. When there are more than 20 worktrees, or 10 GiB of them,
    the oldest worktrees of runs that have ended are removed; their branches stay.
    ");
}

#[test]
fn variables_come_from_files_and_standard_input() {
    let home = Home::new();
    home.write(
        "vars.yml",
        "workflow: { name: Vars, stages: [one] }\none: { with: { command: ['true'], env: { A: '${vars.a}', B: \
         '${vars.b}', C: '${vars.c}' } } }\n",
    );
    home.write("text", "two\nlines\n");
    home.write("data.json", r#"{ "n": 1 }"#);
    home.write("more.yml", "a: from the file\nb: [1, yes, \"x\"]\nc: { d: null }\n");
    let shown = |args: &[&str]| {
        let run = home.run(&[&["run", "vars.yml", "--json"], args].concat());
        assert_eq!(run.code, Some(0), "{args:?}: {run:?}");
        run.json().pop().unwrap()["context"]["vars"].clone()
    };
    assert_eq!(
        shown(&["--var", "a=@text", "--var", "b:=@data.json", "--var", "c:=\"@text\""]),
        json!({ "a": "two\nlines\n", "b": { "n": 1 }, "c": "@text" })
    );
    assert_eq!(
        shown(&["--var", "a=from the line", "--var-file", "more.yml"]),
        json!({ "a": "from the line", "b": [1, "yes", "x"], "c": { "d": null } })
    );
    assert_eq!(shown(&["--var-file", "data.json", "--var-file", "more.yml"])["n"], json!(1));
    let mut piped =
        home.command(&["run", "vars.yml", "--json", "--var", "a=@-", "--var", "b=", "--var", "c="]);
    let piped = piped.stdin(std::fs::File::open(home.path("text")).unwrap()).output().unwrap();
    assert!(
        piped.status.success() && String::from_utf8(piped.stdout).unwrap().contains(r#""a":"two\nlines\n""#)
    );
    home.write("list.yml", "[1]");
    for args in [
        &["--var", "a=@nosuch"],
        &["--var", "a:=@text"],
        &["--var-file", "nosuch"],
        &["--var-file", "list.yml"],
    ] {
        let refused = home.run(&[&["run", "vars.yml"][..], args].concat());
        assert_eq!(refused.code, Some(2), "{args:?}: {refused:?}");
    }
}

#[test]
fn the_reason_of_a_failure_is_where_a_person_looks() {
    let home = Home::with_stages(&[("one", "echo first >&2; echo the reason >&2; exit 7")]);
    let run = home.run(&["run", "stages.workflow.yml", "--run-id", "first"]);
    let why = "`sh` exited with code 7 (transient): first | the reason";
    assert!(run.stdout.lines().last().unwrap().ends_with(why), "{run:?}");
    let listed = home.run(&["runs"]).stdout;
    assert!(listed.lines().last().unwrap().ends_with(why), "{listed}");
    let shown = home.run(&["show", "first"]).stdout;
    for expected in [
        "error          `sh` exited with code 7 (transient)\n",
        "it printed     first\n",
        "               the reason\n",
        why,
    ] {
        assert!(shown.contains(expected), "{expected}: {shown}");
    }
}

#[test]
fn what_one_of_several_failed_lanes_printed_is_told_too() {
    let home = Home::new();
    home.write(
        "vote.yml",
        "workflow: { name: Vote, stages: [one] }\none:\n  mode: parallel\n  parallel_strategy: majority\n  providers: [{ \
         provider: command, weight: 3 }, { provider: command }]\n  with: { command: [sh, -c, 'echo no >&2; exit 1'] }\n",
    );
    let run = home.run(&["run", "vote.yml"]);
    let last = run.stdout.lines().last().unwrap();
    assert!(last.contains("2 of 2 providers failed, with weight 4 of 4: [0] command (weight 3): "), "{last}");
    assert!(last.ends_with(" (stage): no"), "{last}");
}

#[test]
fn a_required_variable_that_is_missing_is_told_before_anything_is_made() {
    let home = Home::new();
    home.write(
        "home/workflows/brief.workflow.yml",
        "workflow: { stages: [brief] }\nbrief: { provider: demo }\n",
    );
    home.write(
        "home/roles/brief.md",
        "---\nvariables: [{ name: topic, required: true }, { name: depth, type: number }]\n---\n{{topic}} {{depth}}\n",
    );
    let before = home.files();
    for (args, problem) in [
        (&[][..], "topic"),
        (&["--var", "topic=x", "--var", "depth=deep"], "depth"),
        (&["--detach"], "topic"),
    ] {
        let refused = home.run(&[&["--home", "home", "run", "brief"], args].concat());
        assert_eq!(refused.code, Some(2), "{refused:?}");
        assert!(refused.stderr.contains(problem), "{refused:?}");
    }
    assert_eq!(home.files(), before);
    let run = home.run(&["--home", "home", "run", "brief", "--var", "topic=x", "--var", "depth:=2"]);
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""), "{run:?}");
}

#[test]
fn a_variable_that_nothing_uses_is_told_before_the_run_starts() {
    let home = Home::new();
    home.write(
        "uses.yml",
        r#"
workflow: { name: Uses, stages: [one, two] }
one:
  provider: command
  when: "$.vars.wanted != false"
  with: { command: [echo, "${vars.goal:-none}"], env: { LEVEL: "${vars.level:-1}" } }
  set: { seen: "${output}" }
two: { provider: demo, approval: "Continue with ${vars.reason:-it}?" }
"#,
    );
    let told = |args: &[&str]| home.run(&[&["run", "uses.yml", "--detach"], args].concat()).stderr;
    let used = ["wanted=x", "goal=x", "level=x", "seen=x", "reason=x"].map(|var| ["--var", var]).concat();
    assert_eq!(told(&used), "");
    let unused = "warning: the variable `gaol` is not used by the workflow; did you mean `goal`?\n";
    assert_eq!(told(&["--var", "gaol=x"]), unused);
    // Text that another provider ignores is used all the same.
    assert_eq!(told(&[&used[..], &["--provider", "demo"]].concat()), "");
    // A part that uses all variables accepts any.
    home.write("uses.yml", "workflow: { stages: [one] }\none: { provider: demo, prompt: '${vars}' }\n");
    let all = home.run(&["run", "uses.yml", "--var", "gaol=x", "--detach"]);
    assert!(!all.stderr.contains("is not used"), "{all:?}");
}

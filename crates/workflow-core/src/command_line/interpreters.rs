//! The interpreters: their names, and which of their arguments they execute as program text.

/// How an interpreter reads its command line.
#[derive(Debug, Clone, Copy)]
pub(super) struct Interpreter {
    names: &'static [&'static str],
    /// Letters of short options whose argument is program text.
    pub code: &'static str,
    /// Whole options whose argument is program text, with their dashes, in lower case.
    pub code_options: &'static [&'static str],
    /// Whether such an option takes all the words that follow.
    pub takes_rest: bool,
    /// Letters of short options that name a script in their argument.
    pub script: &'static str,
    /// Letters of short options that take an argument of another kind, in the same word or in the next.
    pub values: &'static str,
    /// Letters of short options that take the rest of their word.
    pub attached: &'static str,
    /// Whole options that take the next argument, which is not program text.
    pub value_options: &'static [&'static str],
    /// Letters of short options by which standard input is program text as well.
    pub stdin: &'static str,
    pub operands: Operands,
}

/// What the arguments of a program mean that are not options.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operands {
    /// As for a shell: a script, or with `-c` the text, and then arguments of it. Without any, the text is read
    /// from standard input.
    Shell,
    /// A script and its arguments. Without any, and without text, the text is read from standard input.
    Script,
    /// The first is the text, unless an option gave it: `awk`, `sed`.
    Text,
    /// All of them are text.
    AllText,
    /// All after the first are text: `ssh HOST …`. With the first alone, standard input is text.
    TextAfterFirst,
    /// What follows the operand `eval` is text.
    Eval,
    /// None of them is text; this many may precede the options.
    Other(usize),
}

const NONE: Interpreter = Interpreter {
    names: &[],
    code: "",
    code_options: &[],
    takes_rest: false,
    script: "",
    values: "",
    attached: "",
    value_options: &[],
    stdin: "",
    operands: Operands::Other(0),
};

const ALL: &[Interpreter] = &[
    Interpreter {
        names: &["sh", "bash", "dash", "zsh", "ksh", "mksh", "ash", "rbash", "csh", "tcsh", "yash", "elvish"],
        code: "c",
        value_options: &["--rcfile", "--init-file"],
        stdin: "s",
        operands: Operands::Shell,
        ..NONE
    },
    Interpreter {
        names: &["fish", "nu", "xonsh"],
        code: "cC",
        code_options: &["--command", "--commands", "--init-command"],
        value_options: &["--profile", "--features"],
        operands: Operands::Script,
        ..NONE
    },
    Interpreter {
        names: &["pwsh", "powershell"],
        code_options: &["-command", "-c", "-encodedcommand", "-e", "-ec", "-enc"],
        takes_rest: true,
        operands: Operands::Script,
        ..NONE
    },
    Interpreter { names: &["cmd"], code_options: &["/c", "/k", "/r"], takes_rest: true, ..NONE },
    Interpreter {
        names: &["python", "pypy", "jython", "micropython", "ipython"],
        code: "c",
        script: "m",
        values: "WXQ",
        stdin: "i",
        operands: Operands::Script,
        ..NONE
    },
    Interpreter {
        names: &["perl"],
        code: "eEMm",
        values: "I",
        attached: "iFxCDd",
        operands: Operands::Script,
        ..NONE
    },
    Interpreter {
        names: &["ruby", "jruby"],
        code: "e",
        values: "rICE",
        attached: "FKWTxi",
        operands: Operands::Script,
        ..NONE
    },
    Interpreter {
        names: &["node", "nodejs", "bun", "tsx", "ts-node"],
        code: "ep",
        code_options: &["--eval", "--print", "--import", "--loader", "--experimental-loader"],
        values: "rC",
        value_options: &["--require", "--conditions", "--env-file"],
        stdin: "i",
        operands: Operands::Script,
        ..NONE
    },
    Interpreter { names: &["deno"], code_options: &["--eval"], operands: Operands::Eval, ..NONE },
    Interpreter {
        names: &["php"],
        code: "rBRE",
        code_options: &["--run", "--process-begin", "--process-code", "--process-end"],
        script: "f",
        values: "cdzFt",
        operands: Operands::Script,
        ..NONE
    },
    Interpreter { names: &["lua", "luajit"], code: "e", values: "l", operands: Operands::Script, ..NONE },
    Interpreter {
        names: &["r", "rscript", "julia", "elixir", "iex", "groovy", "scala", "osascript", "guile", "racket"],
        code: "ecE",
        code_options: &["--eval", "--print", "--execute"],
        values: "lLr",
        operands: Operands::Script,
        ..NONE
    },
    Interpreter { names: &["tclsh", "wish", "expect"], code: "c", operands: Operands::Script, ..NONE },
    Interpreter { names: &["erl"], code_options: &["-eval"], ..NONE },
    Interpreter {
        names: &["awk", "gawk", "mawk", "nawk"],
        code: "e",
        code_options: &["--source"],
        script: "f",
        values: "vF",
        value_options: &["--assign", "--field-separator", "--file"],
        operands: Operands::Text,
        ..NONE
    },
    // GNU sed has a command that runs a program.
    Interpreter {
        names: &["sed", "gsed"],
        code: "e",
        code_options: &["--expression"],
        script: "f",
        values: "l",
        attached: "i",
        value_options: &["--line-length", "--file"],
        operands: Operands::Text,
        ..NONE
    },
    Interpreter {
        names: &["ssh", "slogin", "rsh", "autossh"],
        code: "o",
        values: "BbcDEeFIiJLlmOpQRSWw",
        operands: Operands::TextAfterFirst,
        ..NONE
    },
    Interpreter {
        names: &["su", "runuser", "sg"],
        code: "c",
        code_options: &["--command", "--session-command"],
        values: "gGsw",
        value_options: &["--group", "--supp-group", "--shell", "--whitelist-environment"],
        operands: Operands::Other(2),
        ..NONE
    },
    Interpreter {
        names: &["flock", "script", "npx", "npm", "pnpx"],
        code: "c",
        code_options: &["--command", "--call"],
        operands: Operands::Other(1),
        ..NONE
    },
    Interpreter { names: &["env"], code: "S", code_options: &["--split-string"], values: "uC", ..NONE },
    Interpreter { names: &["nix-shell"], code_options: &["--run", "--command"], ..NONE },
    Interpreter { names: &["entr"], code: "s", ..NONE },
    Interpreter { names: &["eval", "watch"], operands: Operands::AllText, ..NONE },
    Interpreter {
        names: &["hyperfine"],
        code: "psCc",
        code_options: &["--prepare", "--setup", "--cleanup", "--conclude"],
        operands: Operands::AllText,
        ..NONE
    },
    Interpreter { names: &["parallel"], operands: Operands::AllText, ..NONE },
    Interpreter { names: &["at", "batch"], operands: Operands::Script, ..NONE },
    Interpreter { names: &["tmux"], operands: Operands::AllText, ..NONE },
    Interpreter { names: &["vi", "vim", "nvim", "ex", "view"], code: "c", code_options: &["--cmd"], ..NONE },
    Interpreter { names: &["emacs"], code_options: &["--eval", "--execute", "-eval"], ..NONE },
    Interpreter { names: &["gdb"], code_options: &["-ex", "-iex", "--eval-command"], ..NONE },
];

/// Programs that start no other: a name of an interpreter among their arguments is a text.
const STARTS_NOTHING: &[&str] = &[
    "cat", "cp", "diff", "echo", "egrep", "fgrep", "grep", "head", "jq", "ls", "mkdir", "mv", "printf", "rg",
    "rm", "sort", "tail", "test", "touch", "wc", "which",
];

/// The interpreter that `word` starts, if it is in the place of a program.
pub(super) fn find(word: &str) -> Option<&'static Interpreter> {
    let name = name(word);
    let without_version = name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.' || c == '-');
    let is = |wanted: &str| wanted == name || wanted == without_version;
    ALL.iter().find(|interpreter| interpreter.names.iter().any(|wanted| is(wanted)))
}

/// Whether `word` is a program that never starts another one.
pub(super) fn starts_nothing(word: &str) -> bool {
    STARTS_NOTHING.contains(&name(word).as_str())
}

/// Whether `word` is that program.
pub(super) fn is(word: &str, program: &str) -> bool {
    name(word) == program
}

fn name(word: &str) -> String {
    let name = word.rsplit(['/', '\\']).next().unwrap_or(word).to_ascii_lowercase();
    name.strip_suffix(".exe").map(str::to_owned).unwrap_or(name)
}

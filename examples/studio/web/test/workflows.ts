/** Workflows of the demo and command providers. */
export const HELLO = `
workflow: { name: Hello, stages: [greet] }
greet: { provider: command, with: { command: [echo, "hello \${vars.name:-you}"] } }
`;

/** Ends at once. */
export const DEMO = `
workflow: { name: Demo, stages: [greet] }
greet: { provider: demo, prompt: hello }
`;

/** Waits for an approval after a stage. */
export const SHIP = `
workflow: { name: Ship a release, description: Plans and ships., stages: [plan, ship] }
plan: { provider: demo, with: { answers: [a plan of 3 steps], usage: { input_tokens: 1200, output_tokens: 80, cost_usd: 0.0042 } } }
ship: { provider: command, approval: "Ship \${stages.plan.output}?", with: { command: [sh, -c, "echo shipped"] } }
`;

/** Fails for good in its second stage, after a retry. */
export const NIGHTLY = `
workflow: { name: Nightly checks, stages: [collect, verify, publish] }
collect: { provider: command, with: { command: [sh, -c, "echo x >>collected; echo collected"] } }
verify:
  provider: demo
  on_failure: retry
  retries: 2
  retry_backoff: 0.01
  with:
    usage: { cost_usd: 0.01 }
    attempts:
      - { fail: transient, message: connection reset by peer }
      - { fail: permanent, message: the checksum does not match }
publish: { provider: demo }
`;

/** Writes numbered lines until the file \`stop\` exists. */
export const TICKS = `
workflow: { name: Ticks, stages: [tick] }
tick:
  provider: command
  with:
    command:
      - sh
      - -c
      - 'n=0; while [ ! -e stop ]; do n=$((n+1)); echo "tick $n."; sleep 0.02; done; echo "last tick $n."'
`;

/** As many lines as \`vars.lines\` says, one in 1,000 of which is a needle. */
export const LINES = `
workflow: { name: Lines, stages: [write] }
write:
  provider: command
  with:
    command: [awk, -v, "n=\${vars.lines}", 'BEGIN { for (i = 1; i <= n; i++) print (i % 1000 == 0 ? "Needle " : "line ") i }']
`;

/** 3,000 lines that are wider than the page. */
export const LONG = `
workflow: { name: Long lines, stages: [write] }
write:
  provider: command
  with:
    command: [awk, 'BEGIN { for (i = 1; i <= 3000; i++) { printf "line %d", i; for (j = 0; j < 60; j++) printf " word %d", j; print "" } }']
`;

/** Waits until the file \`go\` exists in each of its two stages. */
export const SLOW = `
workflow: { name: Slow, stages: [first, second] }
first: { provider: command, with: { command: [sh, -c, "while [ ! -e go ]; do sleep 0.02; done; echo first"] } }
second: { provider: command, with: { command: [sh, -c, "echo second"] } }
`;

/** Output that tries to become markup, commands of a terminal, or to hide. */
export const HOSTILE = `
workflow: { name: "Hostile <b>name</b>", description: "<img src=x onerror=alert(1)>", stages: [say] }
say:
  provider: command
  with:
    command:
      - printf
      - '<img src=x onerror=alert(1)>\\n\\033]0;owned\\007title\\n\\033[2J\\033[Hcleared\\n\\342\\200\\256reversed\\n\\033]8;;javascript:alert(1)\\033\\134link\\033]8;;\\033\\134\\n\\033[31mred\\033[0m\\n'
`;

/** Variables of every type: a role says which. */
export const TYPED = {
  typed: `
workflow: { name: Typed, stages: [use] }
use: { provider: demo, role: user }
`,
  "roles/user.md": `---
id: user
variables:
  - { name: goal, type: string, required: true, description: What is to be done }
  - { name: count, type: number, default: 3 }
  - { name: careful, type: boolean }
  - { name: files, type: array }
---
{{goal}} {{count}} {{careful}} {{files}}
`,
};

/** A quota that is filled again at a time, and one without. */
export const QUOTA = `
workflow: { name: Quota, stages: [ask] }
ask: { provider: demo, with: { attempts: [{ fail: rate_limited, again_in: 1h, message: over the quota }] } }
`;

/** The first stage waits for a signal, and the second one prints its data. Runs share a key: one is in progress at a time. */
export const DEPLOY = {
  deploy: `
workflow: { name: Deploy, stages: [go, tell], concurrency: { key: deploy } }
go: { provider: command, profile: wait }
tell: { provider: command, with: { command: [echo, "\${stages.go.output}"] } }
`,
  "workflows/stages/go.wait.yml": `
graph:
  - { id: deployed, type: wait, signal: deploy.done }
  - { id: version, type: set, value: "version \${nodes.deployed.output.version}" }
`,
};

/** Two stages with comments that stay, for the editor. */
export const EDITED = `
# A release
workflow: { name: Release, stages: [plan, ship] } # in this order
plan:
  provider: demo
  prompt: Plan it # short
ship:
  provider: command
  with: { command: [echo, shipped] }
`;

/** A stage with a graph: a branch of which one arm is taken, and a loop over items of which one fails. */
export const FLOW = {
  flow: `
workflow: { name: Flow, stages: [go] }
go: { provider: command, profile: flow, with: { command: [echo, go] } }
`,
  "workflows/stages/go.flow.yml": `
graph:
  - { id: draft, type: run }
  - id: route
    type: branch
    when: [{ condition: '$.nodes.draft.output != "x"', then: left }, { condition: "true", then: right }]
  - { id: left, type: run }
  - { id: right, type: run }
  - id: each
    type: foreach
    mode: parallel
    items: [0, 1, 0]
    run: { type: run, inputs: [left], with: { command: [test, "\${item}", "!=", "1"] } }
`,
};

/** A stage with so many nodes, each of which needs two others. */
export function wide(nodes: number): Record<string, string> {
  const node = (n: number) => {
    const needs = n < 40 ? [] : [n - 40, n - 40 + ((n * 7) % 13)].filter((each) => each < n);
    return `  - { id: n${n}, type: run, inputs: [${[...new Set(needs)].map((each) => `n${each}`).join(", ")}] }`;
  };
  return {
    wide: `
workflow: { name: Wide, stages: [go] }
go: { provider: demo, profile: wide, prompt: x }
`,
    "workflows/stages/go.wide.yml": `graph:\n${Array.from({ length: nodes }, (_, n) => node(n)).join("\n")}\n`,
  };
}

/** A loop that is done in its fifth iteration. */
export const LOOP = `
workflow:
  name: Loop
  stages: [work]
  loop: { stop_when: "$.n >= 5", max_iters: 8 }
work: { provider: command, output: json, with: { command: [sh, -c, 'echo x >>times; printf "{\\"n\\":%d}" $(wc -l <times)'] } }
`;

/** Writes 500 lines a second until the file \`stop\` exists. */
export const STEADY = `
workflow: { name: Steady, stages: [write] }
write:
  provider: command
  with:
    command:
      - sh
      - -c
      - 'n=0; while [ ! -e stop ]; do n=$((n+1)); seq -f "line %g of the part, with some words in it" $((n*50)) $((n*50+49)); sleep 0.1; done'
`;

/** A call that is not made twice by itself: it makes a file with the name of the run, and waits until \`go\` exists. */
export const ONCE = `
workflow: { name: Once, stages: [pay] }
pay:
  provider: command
  on_interrupt: ask
  with: { command: [sh, -c, 'touch "$1"; while [ ! -e go ]; do sleep 0.02; done; echo done', sh, "\${run.id}"] }
`;

/** Changes files in a worktree of its own: one is long, and the second stage fails. */
export const WRITES = `
workflow: { name: Writes, stages: [first, second] }
first: { provider: command, with: { command: [sh, -c, "seq 700 >long.txt"] } }
second: { provider: command, with: { command: [sh, -c, "echo new >read.txt; exit 3"] } }
`;

/** A node that runs another workflow, which waits for an approval and costs something. */
export const NESTED = {
  outer: `
workflow: { name: Outer, stages: [work] }
work: { provider: demo, profile: own }
`,
  "workflows/stages/work.own.yml": `
graph:
  - { id: inner, type: workflow, workflow: ship }
`,
  ship: SHIP,
};

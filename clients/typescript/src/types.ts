// Generated from service.schema.json by `cargo xtask typescript`: do not edit.

/**
 * What an operation does, for the decision whether a caller may use it.
 */
export type Scope = "read" | "run" | "edit" | "admin";
/**
 * The language of a drawing.
 */
export type GraphFormat = "mermaid" | "dot" | "svg";
/**
 * The type of a variable.
 */
export type VariableType = "string" | "number" | "integer" | "boolean" | "array" | "object";
/**
 * How several values become one.
 */
export type ReduceStrategy = "concat" | "merge" | "first" | "last" | "vote" | "summarize";
/**
 * When a node starts that waits for others.
 */
export type Join = "all" | "ended" | "any";
/**
 * What the failure of a stage does, or of a node.
 */
export type OnFailure = "stop" | "continue" | "retry";
/**
 * Which of the runs that no process drives is claimed first: the one with the highest priority.
 */
export type Priority = number;
/**
 * A run that was started, or what would run.
 */
export type StartOutcome = Started | DryRun;
/**
 * The least severe entries or events to return; the more severe ones are returned as well.
 */
export type LogLevel = "error" | "warn" | "info" | "debug";
/**
 * A fact that happened to a run.
 */
export type Event = {
  /**
   * Its number within the run.
   */
  seq: number;
  /**
   * When it was decided.
   */
  at: string;
  /**
   * The version of the event format.
   */
  v: 1;
} & EventBody;
/**
 * What happened. Adding a kind or a field keeps [`EVENT_VERSION`]; changing one raises it.
 */
export type EventBody =
  | {
      type: "run_created";
      data: RunCreated;
    }
  | {
      type: "run_forked";
      data: RunForked;
    }
  | {
      type: "run_migrated";
      data: {
        /**
         * The hash of its bundle.
         */
        hash: BundleHash;
        /**
         * Its bundle: the bundle that a run was started with is shared by runs, and this one belongs to this
         * run alone.
         */
        bundle: Bundle;
        /**
         * As [`RunCreated::signature`], for the hash and for who migrated the run.
         */
        signature?: string | null;
        /**
         * Who migrated the run, if that is known.
         */
        by?: Actor | null;
      };
    }
  | {
      type: "run_started";
    }
  | {
      type: "stage_started";
      data: {
        /**
         * The iteration, counted from 1.
         */
        iteration: number;
        /**
         * The stage.
         */
        stage: string;
        /**
         * How many lanes it has; absent: one.
         */
        lanes?: number;
      };
    }
  | {
      type: "stage_skipped";
      data: {
        /**
         * The iteration, counted from 1.
         */
        iteration: number;
        /**
         * The stage.
         */
        stage: string;
      };
    }
  | {
      type: "lane_started";
      data: {
        /**
         * The iteration, counted from 1.
         */
        iteration: number;
        /**
         * The stage.
         */
        stage: string;
        /**
         * The lane.
         */
        lane: number;
        /**
         * Its provider.
         */
        provider: string;
        /**
         * Its role, where there is one.
         */
        role?: string | null;
      };
    }
  | {
      type: "node_started";
      data: {
        /**
         * The node.
         */
        path: string;
        /**
         * Its items: an array. Of an iteration null.
         */
        items: unknown;
      };
    }
  | {
      type: "node_completed";
      data: {
        /**
         * The node.
         */
        path: string;
        /**
         * Its output.
         */
        output: unknown;
        /**
         * The variables that its `set` wrote.
         */
        set?: {
          [k: string]: unknown;
        };
      };
    }
  | {
      type: "node_failed";
      data: {
        /**
         * The node.
         */
        path: string;
        /**
         * Why.
         */
        error: Failure;
        /**
         * Whether its lane continues despite the failure (`on_failure: continue`).
         */
        continues?: boolean;
      };
    }
  | {
      type: "node_skipped";
      data: {
        /**
         * The node.
         */
        path: string;
      };
    }
  | {
      type: "node_queued";
      data: {
        /**
         * The node.
         */
        path: string;
        /**
         * The provider it waits for.
         */
        provider: string;
      };
    }
  | {
      type: "node_waiting";
      data: {
        /**
         * The node.
         */
        path: string;
        /**
         * The time; for a signal how long it is waited for, and absent if that has no limit.
         */
        until?: string;
        /**
         * The name of the signal; absent if it waits for the time.
         */
        signal?: string;
      };
    }
  | {
      type: "child_started";
      data: ChildStarted;
    }
  | {
      type: "child_ended";
      data: ChildEnded;
    }
  | {
      type: "signal_received";
      data: {
        /**
         * The number of the control.
         */
        control: number;
        /**
         * The signal.
         */
        signal: Signal;
        /**
         * Who sent it, if that is known.
         */
        by?: Actor | null;
      };
    }
  | {
      type: "attempt_started";
      data: {
        /**
         * The node.
         */
        path: string;
        /**
         * The attempt, counted from 1 over all retries and restarts.
         */
        attempt: number;
        /**
         * The provider.
         */
        provider: string;
        /**
         * The role, where there is one.
         */
        role?: string | null;
      };
    }
  | {
      type: "session_recorded";
      data: {
        /**
         * The node.
         */
        path: string;
        /**
         * The attempt.
         */
        attempt: number;
        /**
         * The session id, as the provider names it.
         */
        session: string;
      };
    }
  | {
      type: "session_dropped";
      data: {
        /**
         * The node.
         */
        path: string;
        /**
         * The session.
         */
        session: string;
      };
    }
  | {
      type: "attempt_succeeded";
      data: {
        /**
         * The node.
         */
        path: string;
        /**
         * The attempt.
         */
        attempt: number;
        /**
         * The node's output.
         */
        output: unknown;
        /**
         * The variables that the node's `set` wrote.
         */
        set?: {
          [k: string]: unknown;
        };
        /**
         * What the call used, where known.
         */
        usage?: Usage | null;
        /**
         * Details about the call, if the provider reported any.
         */
        details?: unknown;
        /**
         * When the call ended by the clock by which it began, where that was set, or the machine slept, in between;
         * absent: at this event's time.
         */
        ranUntil?: string;
      };
    }
  | {
      type: "attempt_failed";
      data: {
        /**
         * The node.
         */
        path: string;
        /**
         * The attempt. Of a call that was refused (by a budget, by a person, because its provider cannot be told) the
         * last one that was made: 0 where there is none.
         */
        attempt: number;
        /**
         * Why.
         */
        error: Failure;
        /**
         * When it is tried again; absent when it is not.
         */
        retryAt?: string | null;
        /**
         * Whether it only waits for a quota to be refilled: no retry is spent.
         */
        parked?: boolean;
        /**
         * Whether the next attempt corrects a wrong output: no retry is spent.
         */
        repair?: boolean;
        /**
         * Whether the lane continues although the node has failed for good (`on_failure: continue`).
         */
        continues?: boolean;
        /**
         * What the call used, where known.
         */
        usage?: Usage | null;
        /**
         * When the call ended by the clock by which it began, where that was set, or the machine slept, in between;
         * absent: at this event's time.
         */
        ranUntil?: string;
        /**
         * The output of the call before it failed.
         */
        output?: unknown;
      };
    }
  | {
      type: "attempt_cancelled";
      data: {
        /**
         * The node.
         */
        path: string;
        /**
         * The attempt.
         */
        attempt: number;
        /**
         * What the call used, where known.
         */
        usage?: Usage | null;
        /**
         * The last moment that it is known to have run, where its driver died or the clock was set; absent: this
         * event's.
         */
        ranUntil?: string;
      };
    }
  | {
      type: "attempt_interrupted";
      data: {
        /**
         * The node.
         */
        path: string;
        /**
         * The attempt.
         */
        attempt: number;
        /**
         * What the call used, where it stopped by itself and told so.
         */
        usage?: Usage | null;
        /**
         * The last moment that it is known to have run, where its driver died or the clock was set; absent: this
         * event's.
         */
        ranUntil?: string;
        /**
         * When the node runs again, if its drivers died several times in a row; absent: at once.
         */
        retryAt?: string;
      };
    }
  | {
      type: "lane_completed";
      data: {
        /**
         * The iteration, counted from 1.
         */
        iteration: number;
        /**
         * The stage.
         */
        stage: string;
        /**
         * The lane.
         */
        lane: number;
        /**
         * The node whose output is the lane's, or the nodes whose outputs are, as an object.
         */
        outputOf: LaneOutput;
      };
    }
  | {
      type: "lane_failed";
      data: {
        /**
         * The iteration, counted from 1.
         */
        iteration: number;
        /**
         * The stage.
         */
        stage: string;
        /**
         * The lane.
         */
        lane: number;
        /**
         * Why.
         */
        error: Failure;
      };
    }
  | {
      type: "stage_completed";
      data: {
        /**
         * The iteration, counted from 1.
         */
        iteration: number;
        /**
         * The stage.
         */
        stage: string;
        /**
         * The lane whose output is the stage's; absent: an array of every lane's is.
         */
        outputOf?: number | null;
        /**
         * The variables that the stage's `set` wrote.
         */
        set?: {
          [k: string]: unknown;
        };
      };
    }
  | {
      type: "stage_failed";
      data: {
        /**
         * The iteration, counted from 1.
         */
        iteration: number;
        /**
         * The stage.
         */
        stage: string;
        /**
         * Why.
         */
        error: Failure;
        /**
         * Whether the run continues despite the failure (`on_failure: continue`).
         */
        continues: boolean;
        /**
         * The one of several lanes whose output stays as the stage's; absent: all of them.
         */
        outputOf?: number | null;
      };
    }
  | {
      type: "iteration_ended";
      data: {
        /**
         * The iteration, counted from 1.
         */
        iteration: number;
        /**
         * What `stop_when` was.
         */
        done: boolean;
        /**
         * The stage that the next iteration starts with; absent when there is none.
         */
        next?: string | null;
      };
    }
  | {
      type: "budget_warning";
      data: {
        /**
         * The stage whose budget it is; absent: the run's.
         */
        stage?: string | null;
        /**
         * The quantity that it limits.
         */
        limit: BudgetLimit;
        /**
         * How much was used: US dollars, tokens, or seconds.
         */
        used: number;
        /**
         * How much may be used.
         */
        of: number;
      };
    }
  | {
      type: "stage_asked";
      data: {
        /**
         * The iteration, counted from 1.
         */
        iteration: number;
        /**
         * The stage.
         */
        stage: string;
        /**
         * The question.
         */
        question: string;
      };
    }
  | {
      type: "node_asked";
      data: {
        /**
         * The node.
         */
        path: string;
        /**
         * Why.
         */
        reason: WaitReason;
        /**
         * The question.
         */
        question: string;
        /**
         * The JSON Schema of the answer; absent for any text.
         */
        schema?: unknown;
      };
    }
  | {
      type: "answered";
      data: {
        /**
         * The number of the control.
         */
        control: number;
        /**
         * The number of the event that asked.
         */
        wait: number;
        /**
         * The answer.
         */
        answer: unknown;
        /**
         * Who answered, if that is known.
         */
        by?: Actor | null;
      };
    }
  | {
      type: "answer_refused";
      data: {
        /**
         * The number of the control.
         */
        control: number;
        /**
         * The number that it named.
         */
        wait: number;
        /**
         * Why it was refused, for a person.
         */
        reason: string;
        /**
         * Why it was refused, for a program. Absent in logs of earlier versions.
         */
        code?: AnswerRefusal | null;
        /**
         * Who answered, if that is known.
         */
        by?: Actor | null;
      };
    }
  | {
      type: "run_waiting";
      data: {
        /**
         * What it waits for; of several things the first.
         */
        wait: Wait;
      };
    }
  | {
      type: "run_continued";
    }
  | {
      type: "pause_requested";
      data: {
        /**
         * The number of the control.
         */
        control: number;
        /**
         * Who requested it, if that is known.
         */
        by?: Actor | null;
      };
    }
  | {
      type: "run_paused";
    }
  | {
      type: "run_resumed";
      data: {
        /**
         * The number of the control.
         */
        control: number;
        /**
         * Who requested it, if that is known.
         */
        by?: Actor | null;
      };
    }
  | {
      type: "cancel_requested";
      data: {
        /**
         * The number of the control.
         */
        control: number;
        /**
         * Whether calls are killed without a grace period.
         */
        atOnce?: boolean;
        /**
         * Who requested it, if that is known.
         */
        by?: Actor | null;
      };
    }
  | {
      type: "run_ending";
      data: RunEnding;
    }
  | {
      type: "run_completed";
      data: {
        /**
         * The stages that failed on the way (`on_failure: continue`), each once.
         */
        failedStages?: string[];
        /**
         * Its output, where the definition says what it is; absent: that of the last stage that was not skipped.
         */
        output?: unknown;
        /**
         * Why it ended before its last stage; absent where it did not.
         */
        reason?: string | null;
      };
    }
  | {
      type: "run_failed";
      data: {
        /**
         * Why.
         */
        error: Failure;
      };
    }
  | {
      type: "run_cancelled";
    };
/**
 * What happens to a new run while another one has its slot.
 */
export type SlotMode = "queue" | "cancel" | "reject";
/**
 * A length of time: `90s`, `30m`, `1h30m`, or a number of seconds.
 */
export type Period = string | number;
/**
 * The status of a run.
 */
export type RunStatus = "pending" | "running" | "paused" | "completed" | "failed" | "cancelled";
/**
 * Why an answer was refused.
 */
export type AnswerRefusal = "cancelling" | "no_such_question" | "invalid_answer";
/**
 * A point of a run to continue from.
 */
export type ForkPointName =
  | "start"
  | "failed"
  | {
      stage: string;
    }
  | {
      /**
       * iteration/stage[lane]/node, with [item] after it; a node in the body of a loop or a foreach has node[number]/ before it
       */
      node: string;
    }
  | {
      event: number;
    };
/**
 * The reasons to wait.
 */
export type WaitReason =
  "pause" | "approval" | "question" | "unknown_outcome" | "quota" | "retry" | "timer" | "signal" | "child" | "crashes";
/**
 * The status of a stage, or of one of its lanes.
 */
export type StageStatus =
  "pending" | "queued" | "running" | "retrying" | "waiting" | "completed" | "failed" | "skipped" | "cancelled";
/**
 * What an output entry is.
 */
export type OutputKind = "stdout" | "stderr" | "text" | "text_delta" | "thinking" | "tool" | "log" | "dropped";
/**
 * The form of a log as a text.
 */
export type LogFormat = "text" | "ansi" | "jsonl";
/**
 * The form of a report.
 */
export type ReportFormat = "json" | "markdown" | "html";
/**
 * What was done about a failed attempt.
 */
export type AfterFailure = "retry" | "repair" | "waitForQuota";
/**
 * Where a run that is run again begins.
 */
export type RerunPoint =
  | "start"
  | "failed"
  | {
      stage: string;
    };
/**
 * The JSON Schema that an output has to follow.
 */
export type SchemaSource =
  | string
  | {
      [k: string]: unknown;
    };
/**
 * How an attempt ended.
 */
export type AttemptOutcome = "running" | "succeeded" | "failed" | "cancelled" | "interrupted";
/**
 * What a box stands for.
 */
export type BoxKind = "start" | "stage" | "node" | "end";
/**
 * What a budget limits.
 */
export type BudgetLimit = "cost" | "tokens" | "time";
/**
 * One node of a graph.
 */
export type GraphNode = {
  /**
   * The id, unique within the graph.
   */
  id: string;
  /**
   * A second name for its output.
   */
  out?: string | null;
  /**
   * Nodes that have to end before it starts, although it does not name their outputs. Whether they were skipped does not
   * matter.
   */
  after?: NamesForm | null;
  /**
   * When it starts, where it waits for other nodes.
   */
  join?: Join | null;
  /**
   * Variables to write from its output.
   */
  set?: {
    [k: string]: unknown;
  };
  /**
   * What its failure does, or with `foreach` that of each item, or with `loop` that of each node in its body that does
   * not say so itself; default: its lane fails, and calls are made again as the stage says.
   */
  onFailure?: OnFailure | null;
  /**
   * How many more attempts each of its calls gets with `on_failure: retry`, 0–10; default: the stage's.
   */
  retries?: number | null;
  /**
   * The base of the exponential backoff, in seconds; default: the stage's.
   */
  retryBackoff?: Period | null;
} & (
  | (RunNode & {
      type: "run";
    })
  | (ForeachNode & {
      type: "foreach";
    })
  | (LoopNode & {
      type: "loop";
    })
  | (ReduceNode & {
      type: "reduce";
    })
  | (BranchNode & {
      type: "branch";
    })
  | (ExportNode & {
      type: "export";
    })
  | (AskNode & {
      type: "ask";
    })
  | (SetNode & {
      type: "set";
    })
  | (WaitNode & {
      type: "wait";
    })
  | (EndNode & {
      type: "end";
    })
  | (WorkflowNode & {
      type: "workflow";
    })
  | (GraphBody & {
      type: "graph";
    })
);
/**
 * One name, or a list of names.
 */
export type NamesForm = string | string[];
/**
 * The grammar of a prompt that is not a text with `${…}`.
 */
export type PromptTemplate = "handlebars";
/**
 * What a provider's text is taken for.
 */
export type OutputFormat = "text" | "json";
/**
 * Whether a call starts a session of its own. A call that was interrupted is made again in its own session in any
 * case, where the provider has named one.
 */
export type SessionMode = "new" | "continue";
/**
 * What it means that a crash interrupted a call.
 */
export type OnInterrupt = "rerun" | "ask";
/**
 * How several providers of a stage work.
 */
export type Mode = "sequential" | "parallel";
/**
 * What it means that a loop's `max_iters` was reached without `stop_when`.
 */
export type Exhausted = "fail" | "complete";
/**
 * How a node ends a run.
 */
export type EndStatus = "completed" | "failed";
/**
 * The SHA-256 of a bundle's JSON, in lower-case hexadecimal.
 */
export type BundleHash = string;
/**
 * The code of an error: closed, stable between versions, with one HTTP status each.
 */
export type Code =
  | "invalid_request"
  | "unauthenticated"
  | "forbidden"
  | "not_found"
  | "unknown_operation"
  | "exists"
  | "stale"
  | "read_only"
  | "protected"
  | "in_use"
  | "other_inputs"
  | "held"
  | "refused"
  | "invalid_definition"
  | "invalid_inputs"
  | "no_such_point"
  | "cannot_migrate"
  | "too_large"
  | "too_many_requests"
  | "version_mismatch"
  | "not_trusted"
  | "not_supported"
  | "cancelled"
  | "shutting_down"
  | "unavailable"
  | "damaged"
  | "internal";
/**
 * In what two runs differ at a point.
 */
export type DivergedIn = "stage" | "answer" | "provider" | "attempts" | "outcome" | "output" | "status";
/**
 * What kind of failure it was; it decides whether trying again can help.
 */
export type FailureClass =
  | "transient"
  | "rate_limited"
  | "invalid_output"
  | "permanent"
  | "timeout"
  | "idle_timeout"
  | "cancelled"
  | "expression"
  | "stage"
  | "loop_exhausted"
  | "rejected"
  | "budget"
  | "repeated"
  | "secret_in_output";
/**
 * What happens to a file of an import.
 */
export type ImportState = "create" | "same" | "conflict";
/**
 * The name of a profile alone, or with what comes before it.
 */
export type IncludeForm = string | Include;
/**
 * One profile, or a list of them.
 */
export type IncludesForm = IncludeForm | IncludeForm[];
/**
 * What makes the output of a lane.
 */
export type LaneOutput = string | string[];
/**
 * What a line stands for.
 */
export type LineKind = "next" | "failure" | "loop" | "needs" | "arm";
/**
 * The members of a message, by its `type`.
 */
export type Message =
  | {
      type: "workflow-run:event";
      /**
       * The run.
       */
      runId: string;
      /**
       * The number of the event.
       */
      seq: number;
      /**
       * The event.
       */
      event: Event;
      /**
       * The values that were left out because they are large. `workflow:runs:events` returns the event with them.
       */
      large?: Large[];
    }
  | {
      type: "workflow-run:output";
      /**
       * The run.
       */
      runId: string;
      /**
       * The number of the last event that was stored when the entry was added.
       */
      seq: number;
      /**
       * The number of the entry among the run's output entries.
       */
      number: number;
      /**
       * The entry.
       */
      entry: OutputEntry;
    }
  | {
      type: "workflow-run:head";
      /**
       * The run.
       */
      run: RunRecord;
    }
  | {
      type: "workflow-run:deleted";
      /**
       * The run.
       */
      runId: string;
    }
  | {
      type: "workflow-run:end";
      /**
       * The run.
       */
      runId: string;
      /**
       * The number of its last event.
       */
      seq: number;
    }
  | {
      type: "workflow-run:error";
      /**
       * The run.
       */
      runId: string;
      /**
       * Why.
       */
      error: ServiceError;
    };
/**
 * What a node does.
 */
export type Node =
  | (RunNode & {
      type: "run";
    })
  | (ForeachNode & {
      type: "foreach";
    })
  | (LoopNode & {
      type: "loop";
    })
  | (ReduceNode & {
      type: "reduce";
    })
  | (BranchNode & {
      type: "branch";
    })
  | (ExportNode & {
      type: "export";
    })
  | (AskNode & {
      type: "ask";
    })
  | (SetNode & {
      type: "set";
    })
  | (WaitNode & {
      type: "wait";
    })
  | (EndNode & {
      type: "end";
    })
  | (WorkflowNode & {
      type: "workflow";
    })
  | (GraphBody & {
      type: "graph";
    });
/**
 * When a stage with parallel providers succeeds.
 */
export type ParallelStrategy = "all" | "race" | "majority";
/**
 * The version of the protocol that these types are of.
 */
export type Protocol = 1;
/**
 * How bad a [`Diagnostic`] is.
 */
export type Severity = "error" | "warning";
/**
 * Where a value of a stage comes from. Of several, the first counts.
 */
export type ValueOrigin =
  "run" | "workflow" | "stage" | "defaults" | "assignments" | "providers" | "role" | "host" | "stage_name" | "built_in";
/**
 * The order of a list of workflows.
 */
export type WorkflowOrder = "id" | "name" | "lastRun";

/**
 * The request and the response of each operation.
 */
export interface Operations {
  /**
   * Compares the versions of client and service; a client calls it first. Needs the scope `read`.
   */
  "service:hello": {
    request: Hello;
    response: Welcome;
  };
  /**
   * Reads the assignments: the text, where it is, and its version. Needs the scope `read`.
   */
  "workflow:assignments": {
    request: GetAssignments;
    response: PartText;
  };
  /**
   * Deletes the assignments. Needs the scope `edit`.
   */
  "workflow:assignments:delete": {
    request: DeleteAssignments;
    response: null;
  };
  /**
   * Adds the assignments, or replaces the one that still has the version that the caller read. Needs the scope `edit`.
   */
  "workflow:assignments:put": {
    request: PutAssignments;
    response: PartText;
  };
  /**
   * Adds a workflow, with a text or from a template; never overwrites one. Needs the scope `edit`.
   */
  "workflow:create": {
    request: CreateWorkflow;
    response: WorkflowText;
  };
  /**
   * Deletes a workflow, unless it is protected or runs that have not ended use it. Needs the scope `edit`.
   */
  "workflow:delete": {
    request: DeleteWorkflow;
    response: null;
  };
  /**
   * Checks the host: the programs of its providers, their versions and login status, its store and its catalog. Needs the scope `run`.
   */
  "workflow:doctor": {
    request: Doctor;
    response: Diagnosis;
  };
  /**
   * Copies a workflow under another id; never overwrites one. Needs the scope `edit`.
   */
  "workflow:duplicate": {
    request: DuplicateWorkflow;
    response: WorkflowText;
  };
  /**
   * Changes fields of the text of a workflow, and stores nothing. Needs the scope `read`.
   */
  "workflow:edit": {
    request: EditText;
    response: EditedText;
  };
  /**
   * Estimates how long a run of a workflow takes and what it costs, by earlier runs. Needs the scope `read`.
   */
  "workflow:estimate": {
    request: EstimateRun;
    response: Estimate;
  };
  /**
   * Writes a workflow with the workflows that its nodes run, profiles, roles, schemas and skills into one YAML document. Needs the scope `read`.
   */
  "workflow:export": {
    request: ExportWorkflow;
    response: Exported;
  };
  /**
   * Reads a workflow: its text, the version that an update names, and each value with its range. Needs the scope `read`.
   */
  "workflow:get": {
    request: GetWorkflow;
    response: WorkflowDetail;
  };
  /**
   * Draws the stages of a workflow, with loops and failures, as boxes and lines, Mermaid, DOT or SVG. Needs the scope `read`.
   */
  "workflow:graph": {
    request: GraphWorkflow;
    response: WorkflowGraph;
  };
  /**
   * Adds a workflow with all that it refers to from an export, or tells what would be added; never overwrites. Needs the scope `edit`.
   */
  "workflow:import": {
    request: ImportWorkflow;
    response: Imported;
  };
  /**
   * Lists the variables that a run of a workflow can be given, with types and defaults. Needs the scope `read`.
   */
  "workflow:inputs": {
    request: ListInputs;
    response: InputList;
  };
  /**
   * Lists how many calls of each provider may run at once in this process, how many do, and how many wait. Needs the scope `read`.
   */
  "workflow:limits": {
    request: Limits;
    response: LimitList;
  };
  /**
   * Lists the workflows of the catalog with their last runs, also those that cannot be read. Needs the scope `read`.
   */
  "workflow:list": {
    request: ListWorkflows;
    response: WorkflowList;
  };
  /**
   * Reads the targets of notifications: the text, where it is, and its version. Needs the scope `admin`.
   */
  "workflow:notifications:get": {
    request: GetNotifications;
    response: PartText;
  };
  /**
   * Adds the targets of notifications, or replaces those that still have the version that the caller read. Needs the scope `admin`.
   */
  "workflow:notifications:set": {
    request: SetNotifications;
    response: PartText;
  };
  /**
   * Sends a test to one target of notifications, and says what came of it. Needs the scope `admin`.
   */
  "workflow:notifications:test": {
    request: TestNotification;
    response: TestNotice;
  };
  /**
   * Lists profiles, with their problems. Needs the scope `read`.
   */
  "workflow:profiles": {
    request: ListProfiles;
    response: PartList;
  };
  /**
   * Deletes a profile of a stage. Needs the scope `edit`.
   */
  "workflow:profiles:delete": {
    request: DeleteProfile;
    response: null;
  };
  /**
   * Reads a profile of a stage: the text, where it is, and its version. Needs the scope `read`.
   */
  "workflow:profiles:get": {
    request: GetProfile;
    response: PartText;
  };
  /**
   * Adds a profile of a stage, or replaces the one that still has the version that the caller read. Needs the scope `edit`.
   */
  "workflow:profiles:put": {
    request: PutProfile;
    response: PartText;
  };
  /**
   * Lists the providers that stages can name, with the schemas of their options. Needs the scope `read`.
   */
  "workflow:providers": {
    request: ListProviders;
    response: ProviderList;
  };
  /**
   * Lists roles, with their problems. Needs the scope `read`.
   */
  "workflow:roles": {
    request: ListRoles;
    response: PartList;
  };
  /**
   * Deletes a role. Needs the scope `edit`.
   */
  "workflow:roles:delete": {
    request: DeleteRole;
    response: null;
  };
  /**
   * Reads a role: the text, where it is, and its version. Needs the scope `read`.
   */
  "workflow:roles:get": {
    request: GetRole;
    response: PartText;
  };
  /**
   * Adds a role, or replaces the one that still has the version that the caller read. Needs the scope `edit`.
   */
  "workflow:roles:put": {
    request: PutRole;
    response: PartText;
  };
  /**
   * Starts a run of a workflow, and returns its id at once; or shows what would run, with `dryRun`. Needs the scope `run`.
   */
  "workflow:run": {
    request: RunWorkflow;
    response: StartOutcome;
  };
  /**
   * Answers a question or an approval that a run waits for. Needs the scope `run`.
   */
  "workflow:runs:answer": {
    request: AnswerRun;
    response: ControlResult;
  };
  /**
   * Cancels a run: its calls are told to stop, and killed after a grace period. Needs the scope `run`.
   */
  "workflow:runs:cancel": {
    request: CancelRun;
    response: ControlResult;
  };
  /**
   * Compares two runs: status, times, cost, stages, variables, definitions, and the first point where they differ. Needs the scope `read`.
   */
  "workflow:runs:compare": {
    request: CompareRuns;
    response: Comparison;
  };
  /**
   * Deletes a run that no process drives, with its events and output. Needs the scope `admin`.
   */
  "workflow:runs:delete": {
    request: DeleteRun;
    response: null;
  };
  /**
   * Deletes the runs that are named, and says of each whether it was deleted. Needs the scope `admin`.
   */
  "workflow:runs:deleteMany": {
    request: DeleteRuns;
    response: DeletedRuns;
  };
  /**
   * Reads what a run has committed in its worktree: the commits, the files, the diff. Needs the scope `read`.
   */
  "workflow:runs:diff": {
    request: DiffRun;
    response: RunChanges;
  };
  /**
   * Reads events of a run after a number, with all their values. Needs the scope `read`.
   */
  "workflow:runs:events": {
    request: RunEvents;
    response: EventWindow;
  };
  /**
   * Starts a new run that continues from a point of an old one, with other variables or outputs. Needs the scope `run`.
   */
  "workflow:runs:fork": {
    request: ForkRun;
    response: Started;
  };
  /**
   * Reads a run: its status, stages, outputs, open questions, usage. Needs the scope `read`.
   */
  "workflow:runs:get": {
    request: GetRun;
    response: RunDetail;
  };
  /**
   * Lists what waits for a person, over all runs, the oldest first. Needs the scope `read`.
   */
  "workflow:runs:inbox": {
    request: Inbox;
    response: InboxList;
  };
  /**
   * Cancels a run, and kills its calls at once. Needs the scope `run`.
   */
  "workflow:runs:kill": {
    request: KillRun;
    response: ControlResult;
  };
  /**
   * Lists runs, the newest first, by workflow, status, waits, text, time, labels and parent, with how far they are. Needs the scope `read`.
   */
  "workflow:runs:list": {
    request: ListRuns;
    response: RunList;
  };
  /**
   * Reads what providers wrote: a window by level, place and text, with an exact count, or a text to download. Needs the scope `read`.
   */
  "workflow:runs:logs": {
    request: RunLogs;
    response: LogWindow;
  };
  /**
   * Shows what the current definition of the workflow would change for a run, or moves the run to it. Needs the scope `run`.
   */
  "workflow:runs:migrate": {
    request: MigrateRun;
    response: Migration;
  };
  /**
   * Pauses a run: no new call starts, and the run is paused when its running calls have ended. Needs the scope `run`.
   */
  "workflow:runs:pause": {
    request: PauseRun;
    response: ControlResult;
  };
  /**
   * Reads the definition that a run follows: its stages with lanes and nodes, also those that have not begun. Needs the scope `read`.
   */
  "workflow:runs:plan": {
    request: GetRunPlan;
    response: RunPlan;
  };
  /**
   * Deletes runs that ended before a time, some at a time. Needs the scope `admin`.
   */
  "workflow:runs:prune": {
    request: PruneRuns;
    response: Pruned;
  };
  /**
   * Reports what a run did: outcome, times, cost, stages, failures explained, what to do next, questions and answers. Needs the scope `read`.
   */
  "workflow:runs:report": {
    request: ReportRun;
    response: Reported;
  };
  /**
   * Runs a workflow again as an old run did, from the start, from a stage, or from the stage that failed. Needs the scope `run`.
   */
  "workflow:runs:rerun": {
    request: RerunRun;
    response: Started;
  };
  /**
   * Resumes a run that is paused. Needs the scope `run`.
   */
  "workflow:runs:resume": {
    request: ResumeRun;
    response: ControlResult;
  };
  /**
   * Sends a signal to a run: a node of type `wait` that names it takes it, now or when it starts. Needs the scope `run`.
   */
  "workflow:runs:signal": {
    request: SignalRun;
    response: ControlResult;
  };
  /**
   * Reads the JSON Schemas of workflows, profiles, roles and assignments, for editors that complete and check them. Needs the scope `read`.
   */
  "workflow:schemas": {
    request: ListSchemas;
    response: SchemaList;
  };
  /**
   * Lists skills, with their problems. Needs the scope `read`.
   */
  "workflow:skills": {
    request: ListSkills;
    response: PartList;
  };
  /**
   * Deletes a skill. Needs the scope `edit`.
   */
  "workflow:skills:delete": {
    request: DeleteSkill;
    response: null;
  };
  /**
   * Reads a skill: the text, where it is, and its version. Needs the scope `read`.
   */
  "workflow:skills:get": {
    request: GetSkill;
    response: PartText;
  };
  /**
   * Adds a skill, or replaces the one that still has the version that the caller read. Needs the scope `edit`.
   */
  "workflow:skills:put": {
    request: PutSkill;
    response: PartText;
  };
  /**
   * Lists the stores of runs of this host, with how many runs of each status they have. Needs the scope `read`.
   */
  "workflow:stores": {
    request: Stores;
    response: StoreList;
  };
  /**
   * Lists the templates that workflows can be made from. Needs the scope `read`.
   */
  "workflow:templates": {
    request: ListTemplates;
    response: TemplateList;
  };
  /**
   * Changes the text, or fields, of a workflow that still has the version that the caller read. Needs the scope `edit`.
   */
  "workflow:update": {
    request: UpdateWorkflow;
    response: WorkflowText;
  };
  /**
   * Checks the text of a workflow, with all that it refers to, without storing it; with quick fixes. Needs the scope `read`.
   */
  "workflow:validate": {
    request: ValidateWorkflow;
    response: Validated;
  };
  /**
   * Lists the processes that drive runs of the store, and counts the runs that no process drives. Needs the scope `read`.
   */
  "workflow:workers": {
    request: Workers;
    response: WorkerList;
  };
  /**
   * Lists the worktrees of runs, the least recently used first. Needs the scope `read`.
   */
  "workflow:worktrees:list": {
    request: ListWorktrees;
    response: WorktreeList;
  };
  /**
   * Reads what a run has committed in its worktree as a patch that `git apply` takes. Needs the scope `read`.
   */
  "workflow:worktrees:patch": {
    request: WorktreesPatch;
    response: WorktreePatch;
  };
  /**
   * Removes the worktree of a run that has ended; its branch stays. Needs the scope `admin`.
   */
  "workflow:worktrees:remove": {
    request: RemoveWorktree;
    response: RemovedWorktree;
  };
}
/**
 * Says which protocol the client speaks.
 */
export interface Hello {
  /**
   * The version of the protocol that the client was made for.
   */
  protocol: number;
  /**
   * The client's name and version, for the log.
   */
  client?: string | null;
}
/**
 * What the client talks to.
 */
export interface Welcome {
  /**
   * The version of the protocol.
   */
  protocol: number;
  /**
   * The version of the library.
   */
  version: string;
  /**
   * What the caller may do by its scopes.
   */
  scopes: Scope[];
}
/**
 * Reads the assignments.
 */
export interface GetAssignments {}
/**
 * A role, a profile, a skill or the assignments.
 */
export interface PartText {
  /**
   * Where it was read from, for people.
   */
  origin: string;
  /**
   * The text of the file.
   */
  text: string;
  /**
   * Identifies this version of the text. A request that replaces the text names it.
   */
  version: string;
  /**
   * The file as JSON, with its keys as they are written there: of a role, and of a skill that is not JSON itself, the
   * front matter. Absent where it cannot be read.
   */
  model?: unknown;
  /**
   * Its errors and warnings.
   */
  problems: Problem[];
}
/**
 * An error or a warning of a definition.
 */
export interface Problem {
  /**
   * Whether it stops the definition from being used.
   */
  severity: Severity;
  /**
   * The kind of problem; the book has an entry for each.
   */
  code: string;
  /**
   * The field, for instance `test.providers[1].role`; empty for the file as a whole.
   */
  path: string;
  /**
   * The line, counted from 1; 0 without a place in a text.
   */
  line: number;
  /**
   * The column in characters, counted from 1.
   */
  column: number;
  /**
   * The line of the end of what is wrong; that of its start where no more is known.
   */
  endLine: number;
  /**
   * The column after its last character.
   */
  endColumn: number;
  /**
   * What is wrong, and what to write instead.
   */
  message: string;
  /**
   * The file, if it is not the workflow's: a profile, a role, a schema, the assignments.
   */
  file?: string | null;
  /**
   * Changes of the text, each of which corrects it: an editor can offer them as quick fixes.
   */
  fixes: Fix[];
}
/**
 * A change of a text that corrects a problem.
 */
export interface Fix {
  /**
   * What it does, for people: `Replace with "retries"`.
   */
  title: string;
  /**
   * The first line of the part of the text that is replaced, counted from 1.
   */
  line: number;
  /**
   * The column there, in characters, counted from 1.
   */
  column: number;
  /**
   * The last line of the part.
   */
  endLine: number;
  /**
   * The column after its last character.
   */
  endColumn: number;
  /**
   * What takes its place.
   */
  newText: string;
}
/**
 * Deletes the assignments.
 */
export interface DeleteAssignments {}
/**
 * Adds or replaces the assignments. A text with errors is refused.
 */
export interface PutAssignments {
  /**
   * The new text of the file.
   */
  text: string;
  /**
   * The version that the caller read, to replace it; without one it must not exist.
   */
  version?: string | null;
}
/**
 * Adds a workflow: with a text, or from a template. Never overwrites.
 */
export interface CreateWorkflow {
  /**
   * The id of the new workflow.
   */
  id: string;
  /**
   * Its YAML text, if it is not made from a template.
   */
  text?: string | null;
  /**
   * The id of the template that it is made from, with the roles, profiles and schemas that it uses.
   */
  template?: string | null;
}
/**
 * A workflow with its text.
 */
export interface WorkflowText {
  /**
   * The id.
   */
  id: string;
  /**
   * Where it was read from, for people.
   */
  origin: string;
  /**
   * The YAML text.
   */
  text: string;
  /**
   * Identifies this version of the text: an update names it.
   */
  version: string;
  /**
   * Whether it says `protected: true`: it is neither changed nor deleted until that is removed.
   */
  protected: boolean;
}
/**
 * Deletes a workflow that no unfinished run uses.
 */
export interface DeleteWorkflow {
  /**
   * The workflow.
   */
  id: string;
}
/**
 * Checks the host: asks the programs of its providers for their versions and login status, and reads its store and its
 * catalog. Calls no model, and reads no secrets.
 */
export interface Doctor {}
/**
 * What was found.
 */
export interface Diagnosis {
  /**
   * The version of this library.
   */
  version: string;
  /**
   * The providers that drive a program which can be asked, by name.
   */
  providers: ProviderCheck[];
  /**
   * The store of runs.
   */
  store: StoreCheck;
  /**
   * The catalog of workflows; absent if the host has none.
   */
  catalog?: CatalogCheck | null;
}
/**
 * What the program of a provider reports.
 */
export interface ProviderCheck {
  /**
   * The provider.
   */
  provider: string;
  /**
   * The program that was asked.
   */
  program: string;
  /**
   * Its version; null if it is not known.
   */
  version: string | null;
  /**
   * Why the version is not known: the program is not installed, for instance.
   */
  problem: string | null;
  /**
   * The version that the provider was developed and tested with.
   */
  tested: string;
  /**
   * Whether the version is of the tested series.
   */
  isTested: boolean;
  /**
   * The login status as its program reports it; null if the program has no command for that.
   */
  login: string | null;
  /**
   * The names of the environment variables with keys that are set for it.
   */
  keys: string[];
}
/**
 * Whether the workflows can be read.
 */
export interface CatalogCheck {
  /**
   * How many workflows there are.
   */
  workflows: number;
  /**
   * Why they cannot be read; absent if they can.
   */
  problem?: string | null;
}
/**
 * Copies a workflow. The copy is neither protected nor the default.
 */
export interface DuplicateWorkflow {
  /**
   * The workflow.
   */
  id: string;
  /**
   * The id of the copy.
   */
  newId: string;
  /**
   * The name of the copy; that of the workflow unless given.
   */
  name?: string | null;
}
/**
 * Changes fields of the text of a workflow, and stores nothing: for editors whose text is not saved yet.
 */
export interface EditText {
  /**
   * The YAML text.
   */
  text: string;
  /**
   * Fields to change, one after the other. All are changed, or none.
   */
  edits: FieldEdit[];
}
/**
 * A change of one field.
 */
export interface FieldEdit {
  /**
   * The field, as diagnostics name it: `test.providers[1].role`. A field that is missing is added.
   */
  path: string;
  /**
   * Its new value.
   */
  value?: unknown;
  /**
   * Whether it is removed, instead of getting a value.
   */
  remove?: boolean;
}
/**
 * A text whose fields were changed.
 */
export interface EditedText {
  /**
   * The YAML text; every byte outside of the fields is as it was.
   */
  text: string;
}
/**
 * Estimates how long a run of a workflow takes and what it costs, by the newest 50 runs that completed.
 */
export interface EstimateRun {
  /**
   * The workflow.
   */
  id: string;
}
/**
 * What earlier runs took.
 */
export interface Estimate {
  /**
   * The workflow.
   */
  id: string;
  /**
   * How many runs the durations are of. Forks are not among them: they did a part of the work only.
   */
  runs: number;
  /**
   * From the first start to the end, with all waits, in milliseconds; absent when there are no runs.
   */
  durationMs?: Spread | null;
  /**
   * How many of the runs have a known cost. The others are unknown, not free.
   */
  priced: number;
  /**
   * US dollars, of the runs whose cost is known; absent when it is known of none.
   */
  costUsd?: Spread | null;
}
/**
 * How values are spread: each of these is one of the values.
 */
export interface Spread {
  /**
   * A tenth of the values are not greater.
   */
  p10: number;
  /**
   * Half of the values are not greater.
   */
  median: number;
  /**
   * Nine tenths of the values are not greater.
   */
  p90: number;
}
/**
 * Writes a workflow and everything that it refers to into one YAML document.
 */
export interface ExportWorkflow {
  /**
   * The workflow, which must have no errors.
   */
  id: string;
}
/**
 * A workflow that was exported.
 */
export interface Exported {
  /**
   * The workflow.
   */
  id: string;
  /**
   * The YAML document, which `workflow:import` reads.
   */
  text: string;
  /**
   * What it contains beside the workflow: `workflow build`, `role planner`, `schema schemas/plan.json`.
   */
  parts: string[];
  /**
   * What it does not contain, for people.
   */
  notes: string[];
}
/**
 * Reads the text of a workflow.
 */
export interface GetWorkflow {
  /**
   * The workflow.
   */
  id: string;
}
/**
 * A workflow with its text and what is in it.
 */
export interface WorkflowDetail {
  /**
   * The id.
   */
  id: string;
  /**
   * Where it was read from, for people.
   */
  origin: string;
  /**
   * The YAML text.
   */
  text: string;
  /**
   * Identifies this version of the text: an update names it.
   */
  version: string;
  /**
   * Whether it says `protected: true`: it is neither changed nor deleted until that is removed.
   */
  protected: boolean;
  /**
   * The file as JSON, with its keys as they are written there; absent when it is not YAML.
   */
  model: unknown;
  /**
   * Where each value of the model is in the text, by the path that diagnostics and edits name it by, such as
   * `test.providers[1].role`.
   */
  ranges: {
    [k: string]: Range;
  };
}
/**
 * A part of a text, from its first character to before the one that follows it.
 */
export interface Range {
  /**
   * The first line, counted from 1.
   */
  line: number;
  /**
   * The column there, in characters, counted from 1.
   */
  column: number;
  /**
   * The last line, counted from 1.
   */
  endLine: number;
  /**
   * The column after the last character, counted from 1.
   */
  endColumn: number;
}
/**
 * Draws a workflow of the catalog, the text of a workflow, or the definition that a run follows.
 */
export interface GraphWorkflow {
  /**
   * The workflow; with `text` the id that the file's name would give.
   */
  id?: string | null;
  /**
   * The YAML text of a workflow, in place of the one in the catalog.
   */
  text?: string | null;
  /**
   * The run whose definition is drawn, in place of a workflow.
   */
  runId?: string | null;
  /**
   * Whether the nodes inside stages are drawn too.
   */
  nodes?: boolean;
  /**
   * The language of `drawing`; without it, only `boxes` and `lines` are returned.
   */
  format?: GraphFormat | null;
}
/**
 * A workflow as a graph.
 */
export interface WorkflowGraph {
  /**
   * The name of the workflow for people.
   */
  name: string;
  /**
   * The boxes: the start, the stages in order with the nodes of each behind it, and the end.
   */
  boxes: GraphBox[];
  /**
   * The lines between them.
   */
  lines: GraphLine[];
  /**
   * The graph in the language that was asked for. Texts of the definition are escaped in it.
   */
  drawing?: string | null;
}
/**
 * A box of a graph.
 */
export interface GraphBox {
  /**
   * By what lines name it: `(start)`, `(end)`, a stage as `plan`, a node as `plan/draft`.
   */
  id: string;
  /**
   * What it stands for.
   */
  kind: BoxKind;
  /**
   * The stage that a node is in.
   */
  stage?: string | null;
  /**
   * What it is called.
   */
  label: string;
  /**
   * What else is to be known of it, for people.
   */
  notes: string[];
}
/**
 * A line of a graph.
 */
export interface GraphLine {
  /**
   * The box where it begins.
   */
  from: string;
  /**
   * The box where it ends.
   */
  to: string;
  /**
   * What it stands for.
   */
  kind: LineKind;
  /**
   * When this way is taken, for people.
   */
  label?: string | null;
}
/**
 * Adds a workflow and everything that it refers to from an export. Never overwrites.
 */
export interface ImportWorkflow {
  /**
   * The YAML document of `workflow:export`.
   */
  text: string;
  /**
   * Another id for the workflow.
   */
  newId?: string | null;
  /**
   * Whether only to tell what would be added.
   */
  preview?: boolean;
}
/**
 * What an import adds, or would add.
 */
export interface Imported {
  /**
   * The id of the workflow here.
   */
  id: string;
  /**
   * The workflow, those that its nodes run, and each part of them.
   */
  items: ImportItem[];
  /**
   * Whether something is in the way, so that nothing can be added.
   */
  conflicts: boolean;
  /**
   * Whether the workflow can be run here: there are no errors.
   */
  valid: boolean;
  /**
   * Whether it runs the same as where it was exported: it resolves to the same bundle. With another id it does not.
   */
  sameBundle: boolean;
  /**
   * The errors and warnings that the workflow has here.
   */
  diagnostics: Problem[];
}
/**
 * A file of an import.
 */
export interface ImportItem {
  /**
   * What it is: `workflow release`, `role planner`, `profile test.deep`.
   */
  item: string;
  /**
   * What happens to it.
   */
  state: ImportState;
  /**
   * Where the text is that is here already.
   */
  origin?: string | null;
}
/**
 * Lists the variables that a run of a workflow can be given.
 */
export interface ListInputs {
  /**
   * The workflow, which must have no errors.
   */
  id: string;
}
/**
 * What a run of a workflow can be given: the fields of a dialog that starts one.
 */
export interface InputList {
  /**
   * The variables: those that the workflow declares in their order, or else by name.
   */
  inputs: Input[];
  /**
   * The names of the secrets that it needs, which the host has to provide.
   */
  secrets: string[];
}
/**
 * A variable that a run can be given.
 */
export interface Input {
  /**
   * The name.
   */
  name: string;
  /**
   * The type, where the workflow or a role declares it; otherwise any value will do.
   */
  type: VariableType | null;
  /**
   * The only values that it may have; none where any value of the type will do.
   */
  enum: unknown[];
  /**
   * Whether a run needs it.
   */
  required: boolean;
  /**
   * The value where the run is given none.
   */
  default: unknown;
  /**
   * What it is for.
   */
  description: string | null;
  /**
   * Where it is used: `plan.prompt`, `profile test.deep: graph[0].items`, `role planner`.
   */
  usedIn: string[];
}
/**
 * Lists the limits of calls that run at once, and what is used of them in this process.
 */
export interface Limits {}
/**
 * The limits of a process.
 */
export interface LimitList {
  /**
   * The limits, by provider. A provider without a limit is not listed.
   */
  limits: LimitInfo[];
}
/**
 * The limit of a provider.
 */
export interface LimitInfo {
  /**
   * The provider.
   */
  provider: string;
  /**
   * How many calls may run at once.
   */
  limit: number;
  /**
   * How many slots are taken.
   */
  used: number;
  /**
   * How many calls wait for a slot.
   */
  queued: number;
}
/**
 * Lists the workflows of the catalog.
 */
export interface ListWorkflows {
  /**
   * Only workflows whose id, name or description contains this text, in any case.
   */
  search?: string | null;
  /**
   * The order; by id unless given.
   */
  sort?: WorkflowOrder;
}
/**
 * The workflows of the catalog.
 */
export interface WorkflowList {
  /**
   * The workflows, in the order that was asked for.
   */
  workflows: WorkflowSummary[];
}
/**
 * A workflow in a list.
 */
export interface WorkflowSummary {
  /**
   * The id.
   */
  id: string;
  /**
   * The name for people; absent when the definition cannot be read.
   */
  name: string | null;
  /**
   * What it is for.
   */
  description: string | null;
  /**
   * The stages, in order.
   */
  stages: string[];
  /**
   * The loop: `maxIters`, `fallbackNextStage`, `stopWhen`, `onExhausted`.
   */
  loop: LoopSpec | null;
  /**
   * Whether the file says `isDefault: true`.
   */
  isDefault: boolean;
  /**
   * Whether the file says `protected: true`: it is neither changed nor deleted until that is removed.
   */
  protected: boolean;
  /**
   * Why it can be neither changed nor deleted, for people: it is protected, or its folder cannot be written.
   * Absent if it can.
   */
  readOnly?: string | null;
  /**
   * The newest run. It may be absent in a catalog of hundreds of workflows that have not run for long.
   */
  lastRun: LastRun | null;
  /**
   * The runs that have not ended, the newest first.
   */
  activeRuns: string[];
  /**
   * The first error.
   */
  problem: string | null;
  /**
   * All errors and warnings of the file; `workflow:validate` also finds those of what it refers to.
   */
  problems: Problem[];
}
/**
 * When and where a workflow goes back instead of ending.
 */
export interface LoopSpec {
  /**
   * The most iterations, 1–20.
   */
  maxIters: number;
  /**
   * The stage that the next iteration starts with; default: the first.
   */
  fallbackNextStage?: string | null;
  /**
   * The condition on the last stage's output that ends the loop.
   */
  stopWhen: string;
  /**
   * What reaching `max_iters` means.
   */
  onExhausted?: Exhausted;
}
/**
 * The newest run of a workflow.
 */
export interface LastRun {
  /**
   * The id.
   */
  runId: string;
  /**
   * The status.
   */
  status: RunStatus;
  /**
   * When it was created.
   */
  createdAt: string;
}
/**
 * Reads the targets of notifications: `config/notify.yml`.
 */
export interface GetNotifications {}
/**
 * Adds or replaces the targets of notifications. A text with errors is refused.
 */
export interface SetNotifications {
  /**
   * The new text of the file.
   */
  text: string;
  /**
   * The version that the caller read, to replace it; without one it must not exist.
   */
  version?: string | null;
}
/**
 * Sends a test to one target of notifications, once.
 */
export interface TestNotification {
  /**
   * The name of the target.
   */
  target: string;
}
/**
 * What came of a test.
 */
export interface TestNotice {
  /**
   * The id of the notice, as the target sees it.
   */
  id: string;
  /**
   * Whether the target was told.
   */
  delivered: boolean;
  /**
   * Why not, for people.
   */
  problem?: string | null;
}
/**
 * Lists profiles.
 */
export interface ListProfiles {}
/**
 * What workflows refer to, without the texts.
 */
export interface PartList {
  /**
   * The roles, profiles or skills, by id.
   */
  items: PartSummary[];
}
/**
 * A role, profile or skill in a list.
 */
export interface PartSummary {
  /**
   * The id.
   */
  id: string;
  /**
   * The stage, of a profile.
   */
  stage?: string | null;
  /**
   * Where it was read from, for people; absent when it cannot be read.
   */
  origin: string | null;
  /**
   * The name for people.
   */
  name?: string | null;
  /**
   * What it is for, of a profile.
   */
  description?: string | null;
  /**
   * The variables of runs that a role uses.
   */
  variables?: Variable[];
  /**
   * The provider that the author of a role would choose.
   */
  recommendedProvider?: string | null;
  /**
   * The own nodes of a profile.
   */
  nodes?: PlannedNode[];
  /**
   * The profiles whose nodes a profile has beside its own, as `check.lint`.
   */
  include?: string[];
  /**
   * Why it can be neither changed nor deleted, for people: it is in a folder that is only read, or cannot be
   * written. Absent if it can.
   */
  readOnly?: string | null;
  /**
   * Its errors and warnings.
   */
  problems: Problem[];
}
/**
 * A variable of a run that a role uses.
 */
export interface Variable {
  /**
   * The name.
   */
  name: string;
  /**
   * The type.
   */
  type: VariableType & string;
  /**
   * Whether a run has to be given it.
   */
  required?: boolean;
  /**
   * The value where the run has none.
   */
  default?: unknown;
  /**
   * What it is for.
   */
  description?: string | null;
}
/**
 * A node of a stage.
 */
export interface PlannedNode {
  /**
   * The id.
   */
  id: string;
  /**
   * The type: `run`, `foreach`, `loop`, `reduce`, `branch`, `export`, `ask`, `set`, `end`.
   */
  type: string;
  /**
   * How a `reduce` makes one value of several.
   */
  strategy?: ReduceStrategy | null;
  /**
   * The type of what a `foreach` does with each item.
   */
  each?: string | null;
  /**
   * When it starts, where that is not as for `all`.
   */
  join?: Join | null;
}
/**
 * Deletes a profile of a stage.
 */
export interface DeleteProfile {
  /**
   * The stage.
   */
  stage: string;
  /**
   * The profile.
   */
  id: string;
}
/**
 * Reads a profile of a stage.
 */
export interface GetProfile {
  /**
   * The stage.
   */
  stage: string;
  /**
   * The profile.
   */
  id: string;
}
/**
 * Adds or replaces a profile of a stage. A text with errors is refused.
 */
export interface PutProfile {
  /**
   * The stage.
   */
  stage: string;
  /**
   * The profile.
   */
  id: string;
  /**
   * The new text of the file.
   */
  text: string;
  /**
   * The version that the caller read, to replace it; without one it must not exist.
   */
  version?: string | null;
}
/**
 * Lists the providers that stages can name.
 */
export interface ListProviders {}
/**
 * The providers that stages can name.
 */
export interface ProviderList {
  /**
   * The provider of stages that name none.
   */
  default: string | null;
  /**
   * The providers, by name.
   */
  providers: ProviderInfo[];
}
/**
 * A provider.
 */
export interface ProviderInfo {
  /**
   * The name.
   */
  name: string;
  /**
   * The JSON Schema of its options, under `with`; absent for one that takes any.
   */
  options: unknown;
}
/**
 * Lists roles.
 */
export interface ListRoles {}
/**
 * Deletes a role.
 */
export interface DeleteRole {
  /**
   * The role.
   */
  id: string;
}
/**
 * Reads a role.
 */
export interface GetRole {
  /**
   * The role.
   */
  id: string;
}
/**
 * Adds or replaces a role. A text with errors is refused.
 */
export interface PutRole {
  /**
   * The role.
   */
  id: string;
  /**
   * The new text of the file.
   */
  text: string;
  /**
   * The version that the caller read, to replace it; without one it must not exist.
   */
  version?: string | null;
}
/**
 * Starts a run of a workflow, and returns at once.
 */
export interface RunWorkflow {
  /**
   * The workflow.
   */
  id: string;
  /**
   * Another text of the workflow than that of the catalog, for instance one that is not saved yet. Without `dryRun` it
   * needs the scope `edit`.
   */
  text?: string | null;
  /**
   * The values of variables.
   */
  vars?: {
    [k: string]: unknown;
  };
  /**
   * Short texts that are stored with the run, and that lists are filtered by.
   */
  labels?: {
    [k: string]: string;
  };
  /**
   * The id of the run: starting twice with the same id and inputs returns the same run.
   */
  runId?: string | null;
  /**
   * Any text in place of a run id: starting twice with the same key and inputs returns the same run; with other
   * inputs it is the error `other_inputs`.
   */
  idempotencyKey?: string | null;
  /**
   * The providers in place of those that the definitions name: `{ "claude-code": "codex" }`, or `{ "*": "demo" }` for all.
   * Options under `with` of a provider that is replaced are left out.
   */
  providers?: ProviderMap & {
    [k: string]: unknown;
  };
  /**
   * What replaces `on_failure` of every stage.
   */
  onFailure?: OnFailure | null;
  /**
   * What replaces `max_iters` of the loop, 1–20; an error where there is no loop.
   */
  maxIters?: number | null;
  /**
   * Whether a person is asked before every stage.
   */
  interactive?: boolean;
  /**
   * Whether the calls work in a workspace of the run's own; absent: as the workflow says with `worktree`.
   */
  isolated?: boolean | null;
  /**
   * Which of the runs that no process drives is claimed first: the one with the highest priority, from -9 to 9; absent: as the
   * workflow says, or 0.
   */
  priority?: Priority | null;
  /**
   * Whether to return what would run and what is missing for that, without creating a run.
   */
  dryRun?: boolean;
}
/**
 * Which providers make the calls of a run in place of those that its definition names: by the name that is replaced, with
 * `*` for all others.
 */
export interface ProviderMap {
  [k: string]: string;
}
/**
 * Answers a question that a run waits for.
 */
export interface AnswerRun {
  /**
   * The run.
   */
  runId: string;
  /**
   * The number of the wait: `waits[].number` of the run.
   */
  wait: number;
  /**
   * The answer, which follows the wait's schema.
   */
  value: unknown;
}
/**
 * The outcome of a control request. One that has no effect is an error with the code `refused`.
 */
export interface ControlResult {
  /**
   * The run, if it has accepted the request.
   */
  run?: RunView | null;
  /**
   * The number of the request, if it is recorded and the process that drives the run has not decided on it yet.
   */
  recorded?: number | null;
}
/**
 * A run: its status, its stages, and its data.
 */
export interface RunView {
  /**
   * The run's id.
   */
  runId: string;
  /**
   * The workflow's id.
   */
  workflowId: string;
  /**
   * The labels that it was started with.
   */
  labels?: {
    [k: string]: string;
  };
  /**
   * Which of the runs that no process drives is claimed first.
   */
  priority?: Priority;
  /**
   * The status.
   */
  status: RunStatus;
  /**
   * Why it does not continue by itself.
   */
  wait?: Wait | null;
  /**
   * All open questions to people, and when it continues by itself.
   */
  waits?: Wait[];
  /**
   * The control request that is not complete yet: `pause` or `cancel`.
   */
  requested?: string | null;
  /**
   * How it ends when the stages of `finally` have ended, while they run.
   */
  ending?: RunEnding | null;
  /**
   * Who started it: who forked it where it is a fork. Absent if that is not known.
   */
  startedBy?: Actor | null;
  /**
   * Who requested the pause or the cancellation that is in effect or not complete yet. Absent if that is not known, and
   * where there is none.
   */
  stoppedBy?: Actor | null;
  /**
   * The stage that is under way.
   */
  currentStage: string | null;
  /**
   * The iteration, from 1.
   */
  iteration: number;
  /**
   * The number of the last event that the view includes: a client that follows the run from here misses nothing.
   */
  lastEvent: number;
  /**
   * What its stages read and write.
   */
  context: RunContext;
  /**
   * What all attempts used.
   */
  spent: Spent & {
    [k: string]: unknown;
  };
  /**
   * The run that it was forked from, at which event, and what was changed.
   */
  forked?: RunForked | null;
  /**
   * The run that started it, and where, if it is the run of a node.
   */
  parent?: ParentRun | null;
  /**
   * The usage of attempts that were taken over from that run; not charged to this one.
   */
  inherited?: Spent;
  /**
   * The stages whose failure the run continued after.
   */
  failedStages?: string[];
  /**
   * When it was created.
   */
  createdAt: string;
  /**
   * When it was first driven.
   */
  startedAt: string | null;
  /**
   * When it ended.
   */
  completedAt: string | null;
  /**
   * Why it failed.
   */
  error: Failure | null;
  /**
   * The output of a run that completed: what the definition says, or else the output of the last stage that was
   * not skipped.
   */
  output?: unknown;
  /**
   * Why it completed before its last stage; absent where it did not.
   */
  reason?: string | null;
}
/**
 * Why a run does not continue by itself.
 */
export interface Wait {
  /**
   * The reason.
   */
  reason: WaitReason;
  /**
   * Since when it waits: the time of the event that asked, or with which the run began to wait. Absent in events, whose
   * times these are, and in heads that earlier versions stored.
   */
  since?: string | null;
  /**
   * When it continues by itself, if it does.
   */
  until?: string | null;
  /**
   * Whether `until` is a guess: the service did not say when its quota is refilled.
   */
  untilIsGuess?: boolean;
  /**
   * The number that an answer names; absent where no answer is waited for.
   */
  number?: number | null;
  /**
   * What waits: a stage as `1/plan`, or a node as `1/plan[0]/ask`.
   */
  place?: string | null;
  /**
   * What a person is asked.
   */
  question?: string | null;
  /**
   * The name of the signal that is waited for.
   */
  signal?: string | null;
  /**
   * The run that is waited for, which this one started.
   */
  run?: string | null;
  /**
   * The JSON Schema of the answer.
   */
  schema?: unknown;
}
/**
 * How a run ends when its stages of `finally` have ended.
 */
export interface RunEnding {
  /**
   * The status that it will have. It also fails if it would have completed and a stage of `finally` fails.
   */
  status: RunStatus;
  /**
   * Why it fails.
   */
  error?: Failure | null;
  /**
   * Its output, where the definition says what it is.
   */
  output?: unknown;
  /**
   * Why it ends before its last stage; absent where it does not.
   */
  reason?: string | null;
}
/**
 * A failure as it is recorded in a run's log.
 */
export interface Failure {
  /**
   * The kind of failure.
   */
  class: FailureClass;
  /**
   * What happened, for a person.
   */
  message: string;
  /**
   * More, where there is more: an exit code, the end of standard error.
   */
  details?: unknown;
}
/**
 * Who started, controlled, answered, forked or migrated a run. It is recorded with the event, and never changes what the
 * engine does.
 *
 * The engine believes what the host says: a host makes it from a token or a login that it has checked. The texts can be
 * anything, so whoever shows them to people has to make them harmless.
 */
export interface Actor {
  /**
   * The id: a user, a token, a program.
   */
  id: string;
  /**
   * The name to show to people.
   */
  name?: string | null;
  /**
   * The way by which the request came: `http`, `stdio`, `terminal`, `rust`.
   */
  via?: string | null;
}
/**
 * What several calls used together. Calls with unknown values are counted, and never treated as zero.
 */
export interface Spent {
  /**
   * How many attempts there were.
   */
  attempts: number;
  /**
   * US dollars, of the attempts whose cost is known; null while it is known of none.
   */
  costUsd: number | null;
  /**
   * The attempts whose cost is not known.
   */
  unpriced: number;
  /**
   * Tokens read and written, of the attempts whose tokens are known; null while they are known of none.
   */
  tokens: number | null;
  /**
   * The attempts whose tokens are not known.
   */
  uncounted: number;
  /**
   * How long the attempts took together, in milliseconds.
   */
  timeMs: number;
}
/**
 * Where a run was taken over from another one, and what was changed.
 */
export interface RunForked {
  /**
   * The other run.
   */
  from: string;
  /**
   * The number of its last event that counts.
   */
  event: number;
  /**
   * Variables with other values.
   */
  vars?: {
    [k: string]: unknown;
  };
  /**
   * Stages with other outputs.
   */
  outputs?: {
    [k: string]: unknown;
  };
  /**
   * The seed of the other run.
   */
  seed?: number | null;
  /**
   * What the last call before that point reported about the run's own files.
   */
  worktree?: unknown;
  /**
   * Who forked the run, if that is known.
   */
  by?: Actor | null;
  /**
   * As [`RunCreated::signature`].
   */
  signature?: string | null;
}
/**
 * The run that another one was started by, and where.
 */
export interface ParentRun {
  /**
   * The run.
   */
  run: string;
  /**
   * The node of it.
   */
  path: string;
  /**
   * The attempt at the node.
   */
  attempt: number;
}
/**
 * Cancels a run: its calls are told to stop, and killed after a grace period.
 */
export interface CancelRun {
  /**
   * The run.
   */
  runId: string;
}
/**
 * Compares two runs, of the same workflow or of different ones.
 */
export interface CompareRuns {
  /**
   * The first run.
   */
  runId: string;
  /**
   * The second run.
   */
  otherRunId: string;
}
/**
 * Two runs side by side. `first` is about the run of `runId`, `second` about that of `otherRunId`.
 */
export interface Comparison {
  /**
   * The first run.
   */
  first: ComparedRun;
  /**
   * The second run.
   */
  second: ComparedRun;
  /**
   * Whether they are of the same workflow.
   */
  sameWorkflow: boolean;
  /**
   * Whether they follow the same definition.
   */
  sameBundle: boolean;
  /**
   * What differs in the definitions that they follow, by path; the first 200 differences.
   */
  definition: Difference[];
  /**
   * The variables that they were started with and that differ.
   */
  vars: Difference[];
  /**
   * The stages of both runs, in the order of the first.
   */
  stages: ComparedStage[];
  /**
   * The first point where the runs differ; absent if they did the same.
   */
  divergence?: Divergence | null;
}
/**
 * A difference.
 */
export interface Difference {
  /**
   * Where: the name of a variable, or a path in a definition, as `workflow.stages.plan.prompt`.
   */
  path: string;
  /**
   * The beginning of the value in the first run; absent if there is none.
   */
  first?: Excerpt | null;
  /**
   * The beginning of the value in the second run; absent if there is none.
   */
  second?: Excerpt | null;
}
/**
 * The beginning of a value, as a text.
 */
export interface Excerpt {
  /**
   * The text, or the beginning of it.
   */
  text: string;
  /**
   * Whether there is more.
   */
  truncated: boolean;
}
/**
 * A stage in two runs.
 */
export interface ComparedStage {
  /**
   * The stage.
   */
  stage: string;
  /**
   * The stage in the first run; absent if it has not begun there.
   */
  first?: StageTotal | null;
  /**
   * The stage in the second run; absent if it has not begun there.
   */
  second?: StageTotal | null;
  /**
   * By how much it took longer in the second run, in milliseconds; absent unless it has ended in both.
   */
  longerMs?: number | null;
  /**
   * By how much it cost more in the second run, in US dollars; absent unless all of it is known of both.
   */
  dearerUsd?: number | null;
}
/**
 * All passes of a stage in a run.
 */
export interface StageTotal {
  /**
   * How its last pass ended, or that it has not.
   */
  status: StageStatus;
  /**
   * How many passes there were.
   */
  passes: number;
  /**
   * How long they took together, in milliseconds; absent while one has not ended.
   */
  durationMs: number | null;
  /**
   * What their attempts used.
   */
  spent: Spent;
  /**
   * How many of the attempts failed.
   */
  failedAttempts: number;
  /**
   * The beginning of the output of the last pass.
   */
  output: Excerpt | null;
  /**
   * Why the last pass failed.
   */
  error: Failure | null;
}
/**
 * The first point where two runs differ, in the order of their stages.
 */
export interface Divergence {
  /**
   * The iteration.
   */
  iteration: number;
  /**
   * The stage where they differ; absent where only the statuses of the runs do.
   */
  stage: string | null;
  /**
   * The node whose calls differ; absent where the whole stage does.
   */
  path?: string | null;
  /**
   * What differs.
   */
  what: DivergedIn;
  /**
   * What the first run has there.
   */
  first: string;
  /**
   * What the second run has there.
   */
  second: string;
}
/**
 * Deletes a run that no process drives.
 */
export interface DeleteRun {
  /**
   * The run.
   */
  runId: string;
}
/**
 * Deletes the runs that are named.
 */
export interface DeleteRuns {
  /**
   * The runs, 1,000 at most.
   */
  runIds: string[];
}
/**
 * The outcome of runs that were to be deleted.
 */
export interface DeletedRuns {
  /**
   * How many were deleted.
   */
  deleted: number;
  /**
   * Each run, in the order of the request.
   */
  results: Deletion[];
}
/**
 * The outcome of a run that was to be deleted.
 */
export interface Deletion {
  /**
   * The run.
   */
  runId: string;
  /**
   * Why it was not deleted; absent if it was.
   */
  error?: ServiceError | null;
}
/**
 * Why an operation failed, as callers see it.
 */
export interface ServiceError {
  /**
   * The code, for programs.
   */
  code: Code;
  /**
   * What failed, where, and what to do, for people.
   */
  message: string;
  /**
   * More, depending on the code: `diagnostics`, `problems`, `runs`, `obstacles`, `refusal`.
   */
  details?: unknown;
}
/**
 * Reads what a run that works in a worktree of its own has committed there.
 */
export interface DiffRun {
  /**
   * The run.
   */
  runId: string;
  /**
   * Whether only the commits and the files are wanted, without the diff itself.
   */
  stat?: boolean;
}
/**
 * What a run has committed.
 */
export interface RunChanges {
  /**
   * The commit that the run started from.
   */
  base: string;
  /**
   * The branch of the run.
   */
  branch: string;
  /**
   * The commits since then, the oldest first.
   */
  commits: RunCommit[];
  /**
   * The files that differ from the base.
   */
  files: FileChange[];
  /**
   * The diff in git's format; absent when it was not asked for.
   */
  diff?: string | null;
  /**
   * Whether the diff has more than 4 MiB and was cut: the branch has all of it.
   */
  truncated: boolean;
}
/**
 * A commit of a run.
 */
export interface RunCommit {
  /**
   * Its id.
   */
  id: string;
  /**
   * The node that it belongs to, and whether that failed or was stopped.
   */
  subject: string;
}
/**
 * A file that differs. One that was renamed is two: one that is gone, and one that is new.
 */
export interface FileChange {
  /**
   * The path within the repository.
   */
  path: string;
  /**
   * How many lines were added; absent for a file that is not text.
   */
  added?: number | null;
  /**
   * How many lines were removed; absent for a file that is not text.
   */
  removed?: number | null;
}
/**
 * Reads events of a run with all their values, which the stream leaves out where they are large.
 */
export interface RunEvents {
  /**
   * The run.
   */
  runId: string;
  /**
   * Only events with greater numbers.
   */
  after?: number;
  /**
   * How many events to read: 500 unless given, 5,000 at most.
   */
  limit?: number | null;
  /**
   * Of those that are read only events of this level and of more severe ones; all unless given.
   */
  level?: LogLevel | null;
}
/**
 * Events of a run.
 */
export interface EventWindow {
  /**
   * The events, in the order of their numbers.
   */
  events: Event[];
  /**
   * What to name as `after` to get the following ones; absent when there are none yet.
   */
  next?: number | null;
}
/**
 * Everything that a run was started with.
 */
export interface RunCreated {
  /**
   * The run.
   */
  run: string;
  /**
   * The workflow.
   */
  workflow: string;
  /**
   * The resolved definition, by its hash.
   */
  bundle: BundleHash;
  /**
   * The variables.
   */
  vars?: {
    [k: string]: unknown;
  };
  /**
   * The labels: texts by names that lists of runs are filtered by.
   */
  labels?: {
    [k: string]: string;
  };
  /**
   * Replaces `on_failure` of every stage.
   */
  onFailure?: OnFailure | null;
  /**
   * Replaces `max_iters` of the loop.
   */
  maxIters?: number | null;
  /**
   * Whether a person is asked before every stage.
   */
  interactive?: boolean;
  /**
   * Whether the calls work in a workspace of the run's own.
   */
  isolated?: boolean;
  /**
   * The slot that it needs, if it shares one with other runs.
   */
  slot?: RunSlot | null;
  /**
   * Which of the runs that no process drives is claimed first.
   */
  priority?: Priority;
  /**
   * The run that started it, if it is the run of a node.
   */
  parent?: ParentRun | null;
  /**
   * What is left of the budgets of that run: it counts beside its own.
   */
  budget?: Budget | null;
  /**
   * Drawn once for the run: seeds its jitter, and distinguishes its processes from those of a run with the
   * same id in another store.
   */
  seed: number;
  /**
   * Who started the run, if that is known.
   */
  by?: Actor | null;
  /**
   * The signature of the engine that created the run, in hexadecimal, if the engine has a run key.
   */
  signature?: string | null;
}
/**
 * The slot that a run needs: of all runs of a store with the same key, one has it, and the others wait for it in the order in
 * which they were created.
 *
 * A run has its slot from its creation, or from when it becomes the first of those that wait, until the event that ends it is
 * stored, or it is deleted. The death of a driver does not free it.
 */
export interface RunSlot {
  /**
   * The key.
   */
  key: string;
  /**
   * What happens where another run has the slot.
   */
  mode: SlotMode & string;
}
/**
 * Limits of what a stage or a run may use.
 */
export interface Budget {
  /**
   * US dollars.
   */
  costUsd?: number | null;
  /**
   * Tokens read and written.
   */
  tokens?: number | null;
  /**
   * Time.
   */
  time?: Period | null;
}
/**
 * A node started a run of another workflow.
 */
export interface ChildStarted {
  /**
   * The node.
   */
  path: string;
  /**
   * The attempt, counted from 1: each has a run of its own.
   */
  attempt: number;
  /**
   * The run, which is created once this is stored. Its id follows from the run of the node, the path and the attempt.
   */
  run: string;
  /**
   * Its workflow.
   */
  workflow: string;
  /**
   * The variables that it is given.
   */
  vars?: {
    [k: string]: unknown;
  };
}
/**
 * The run that a node started has ended.
 */
export interface ChildEnded {
  /**
   * The node.
   */
  path: string;
  /**
   * The attempt.
   */
  attempt: number;
  /**
   * The run.
   */
  run: string;
  /**
   * How it ended; absent where there is no such run: it was deleted, or was not created because it was not wanted any
   * more.
   */
  status?: RunStatus | null;
  /**
   * What it used, with the runs that it started itself. It counts for the run of the node.
   */
  spent: Written & {
    [k: string]: unknown;
  };
}
/**
 * What several calls used together.
 */
export interface Written {
  /**
   * How many attempts there were.
   */
  attempts: number;
  /**
   * US dollars, as far as they are known.
   */
  costUsd?: number | null;
  /**
   * The attempts whose cost is not known.
   */
  unpriced?: number;
  /**
   * Tokens, as far as they are known.
   */
  tokens?: number | null;
  /**
   * The attempts whose tokens are not known.
   */
  uncounted?: number;
  /**
   * How long the attempts took together, in milliseconds.
   */
  timeMs?: number;
}
/**
 * Tokens and cost of one call. What is not known is absent: absent is not zero.
 */
export interface Usage {
  /**
   * Tokens read.
   */
  inputTokens?: number | null;
  /**
   * Tokens written.
   */
  outputTokens?: number | null;
  /**
   * Cost in US dollars.
   */
  costUsd?: number | null;
}
/**
 * Starts a new run that continues from a point of an old one.
 */
export interface ForkRun {
  /**
   * The old run, which is not changed.
   */
  runId: string;
  /**
   * Where the new run continues; from the start unless given.
   */
  at?: ForkPointName | null;
  /**
   * Variables with other values.
   */
  vars?: {
    [k: string]: unknown;
  };
  /**
   * Stages that have ended, with other outputs.
   */
  outputs?: {
    [k: string]: unknown;
  };
  /**
   * The id of the new run.
   */
  newRunId?: string | null;
  /**
   * The providers in place of those that the old run has, as in `workflow:run`.
   */
  providers?: ProviderMap & {
    [k: string]: unknown;
  };
  /**
   * Whether the new run follows the workflow as it is in the catalog now.
   */
  current?: boolean;
  /**
   * The YAML text of a definition that the new run follows, in place of `current`. It needs the scope `edit`.
   */
  text?: string | null;
  /**
   * With `text`: the id that the file's name would give; that of the old run's workflow unless given.
   */
  id?: string | null;
}
/**
 * A run that was started.
 */
export interface Started {
  /**
   * The id of the run.
   */
  runId: string;
}
/**
 * Reads a run.
 */
export interface GetRun {
  /**
   * The run.
   */
  runId: string;
}
/**
 * A run with its stages and data.
 */
export interface RunDetail {
  /**
   * The run.
   */
  run: RunView;
  /**
   * The process that drives the run, described for people; absent when there is none.
   */
  holder?: string | null;
  /**
   * The run with the same key that this one waits for; absent when there is none.
   */
  behind?: string | null;
}
/**
 * Lists what waits for a person, over all runs, the oldest first.
 */
export interface Inbox {
  /**
   * Only runs of this workflow.
   */
  workflow?: string | null;
  /**
   * Only runs with all of these labels.
   */
  labels?: {
    [k: string]: string;
  };
  /**
   * How many waits to return: 100 unless given, 1,000 at most.
   */
  limit?: number | null;
}
/**
 * What waits for a person.
 */
export interface InboxList {
  /**
   * The waits, the oldest first.
   */
  items: InboxItem[];
  /**
   * How many there are. Of a store with more than 10,000 runs that have not ended only those are counted that the
   * newest 10,000 of them have.
   */
  total: number;
}
/**
 * A wait for a person.
 */
export interface InboxItem {
  /**
   * The run.
   */
  runId: string;
  /**
   * Its workflow.
   */
  workflowId: string;
  /**
   * The labels of the run.
   */
  labels?: {
    [k: string]: string;
  };
  /**
   * Why it waits: `approval`, `question`, `unknown_outcome`; `crashes` ends when the run is resumed.
   */
  reason: WaitReason;
  /**
   * Since when it waits; absent for runs of earlier versions.
   */
  since?: string | null;
  /**
   * What `workflow:runs:answer` names as `wait`; absent where no answer is waited for.
   */
  wait?: number | null;
  /**
   * What waits: a stage as `1/plan`, or a node as `1/plan[0]/ask`.
   */
  place?: string | null;
  /**
   * What the person is asked.
   */
  question?: string | null;
  /**
   * The JSON Schema of the answer.
   */
  schema?: unknown;
}
/**
 * Cancels a run, and kills its calls without a grace period.
 */
export interface KillRun {
  /**
   * The run.
   */
  runId: string;
}
/**
 * Lists runs, the newest first.
 */
export interface ListRuns {
  /**
   * Only runs of this workflow.
   */
  workflow?: string | null;
  /**
   * Only runs with one of these statuses; all unless given.
   */
  statuses?: RunStatus[];
  /**
   * Only runs that were created at this time or later.
   */
  from?: string | null;
  /**
   * Only runs that were created before this time.
   */
  to?: string | null;
  /**
   * Only runs that ended at this time or later.
   */
  endedFrom?: string | null;
  /**
   * Only runs that ended before this time.
   */
  endedTo?: string | null;
  /**
   * Only runs that wait for one of these reasons; all unless given.
   */
  waits?: WaitReason[];
  /**
   * Only runs with this text in their id, the id of their workflow or the value of a label.
   */
  text?: string | null;
  /**
   * Only runs with all of these labels.
   */
  labels?: {
    [k: string]: string;
  };
  /**
   * Only runs that nodes of this run started.
   */
  parent?: string | null;
  /**
   * Whether to count all runs that are selected, not only those of the page.
   */
  totals?: boolean;
  /**
   * The `next` of the page before.
   */
  after?: string | null;
  /**
   * How many runs to return: 50 unless given, 1,000 at most.
   */
  limit?: number | null;
}
/**
 * A page of runs.
 */
export interface RunList {
  /**
   * The runs, the newest first.
   */
  runs: RunRecord[];
  /**
   * What to name as `after` to get the next page; absent on the last page.
   */
  next?: string | null;
  /**
   * How many runs are selected on all pages together; absent unless `totals` was asked for.
   */
  total?: number | null;
}
/**
 * A run as a store lists it.
 */
export interface RunRecord {
  /**
   * Its id.
   */
  runId: string;
  /**
   * The workflow.
   */
  workflowId: string;
  /**
   * The bundle.
   */
  bundle: BundleHash;
  /**
   * The status.
   */
  status: RunStatus;
  /**
   * Why it does not continue by itself.
   */
  wait?: Wait | null;
  /**
   * When it was created.
   */
  createdAt: string;
  /**
   * When it was first driven.
   */
  startedAt?: string | null;
  /**
   * When it ended.
   */
  completedAt?: string | null;
  /**
   * Why it failed.
   */
  error?: Failure | null;
  /**
   * The labels that it was started with.
   */
  labels?: {
    [k: string]: string;
  };
  /**
   * The run that it was forked from.
   */
  forkedFrom?: string | null;
  /**
   * Who started it: who forked it where it is a fork. Absent if that is not known.
   */
  startedBy?: Actor | null;
  /**
   * Who requested the pause or the cancellation that is in effect or not complete yet. Absent if that is not known, and
   * where there is none.
   */
  stoppedBy?: Actor | null;
  /**
   * How far it is. Absent before its first stage, and in heads that earlier versions stored.
   */
  progress?: RunProgress | null;
  /**
   * The slot that it needs, if it shares one with other runs.
   */
  slot?: RunSlot | null;
  /**
   * Which of the runs that no process drives is claimed first.
   */
  priority?: Priority;
  /**
   * The run that started it, if it is the run of a node.
   */
  parent?: ParentRun | null;
  /**
   * The current holder of the lease, described for a person; absent if there is none.
   */
  holder?: string | null;
  /**
   * The run that has its [slot](RunSlot), if it waits for that one to end. Stores leave it out: see
   * [`tell_behind`](Self::tell_behind).
   */
  behind?: string | null;
}
/**
 * How far a run is.
 */
export interface RunProgress {
  /**
   * The iteration, from 1.
   */
  iteration: number;
  /**
   * The stage that is under way, or that a person is asked about.
   */
  currentStage?: string | null;
  /**
   * The stages that have begun, in that order, and the status of the latest pass of each. Empty if there are more than
   * [`MOST_STAGES`](Self::MOST_STAGES).
   */
  stages?: {
    [k: string]: StageStatus;
  };
  /**
   * What all attempts used.
   */
  spent: Spent & {
    [k: string]: unknown;
  };
  /**
   * All open questions to people, and when it continues by itself.
   */
  waits?: Wait[];
}
/**
 * Reads a window of the output of a run: the newest entries, those before or those after a number; or the whole
 * as a text for a download. Failures and changes of state are events: `workflow:runs:events` returns them.
 */
export interface RunLogs {
  /**
   * The run.
   */
  runId: string;
  /**
   * Only entries of this level and of more severe ones; all unless given.
   */
  level?: LogLevel | null;
  /**
   * Only entries of these kinds, in place of a level; all unless given.
   */
  kinds?: OutputKind[];
  /**
   * Only entries of this iteration.
   */
  iteration?: number | null;
  /**
   * Only entries of this stage.
   */
  stage?: string | null;
  /**
   * Only entries of this lane of stages, counted from 0.
   */
  lane?: number | null;
  /**
   * Only entries of this node.
   */
  node?: string | null;
  /**
   * With `node`: only entries of this item of a `foreach` node, and of the items within it, the outermost first.
   */
  items?: number[];
  /**
   * Only entries of this attempt.
   */
  attempt?: number | null;
  /**
   * Only entries with this text. The case of the letters A to Z does not matter.
   */
  text?: string | null;
  /**
   * The first entries with greater numbers.
   */
  after?: number | null;
  /**
   * Only entries with smaller numbers: the last of them, unless `after` is given.
   */
  before?: number | null;
  /**
   * How many entries to return: 500 unless given, 5,000 at most. A download has no limit but its size.
   */
  limit?: number | null;
  /**
   * Whether to count all entries that are selected, whatever `after`, `before` and `limit` are.
   */
  counted?: boolean;
  /**
   * With `counted`: to note the number of each selected entry that completes a part of this many, for reading any part
   * of a long log afterwards.
   */
  marks?: number;
  /**
   * Whether to return a text for a download instead of entries, from the first one that is selected on.
   */
  format?: LogFormat | null;
}
/**
 * A window of the output of a run.
 */
export interface LogWindow {
  /**
   * The entries, in the order of their numbers; none when a text was asked for. There are fewer than the limit only if
   * no more are selected in that direction.
   */
  entries: OutputEntry[];
  /**
   * How many entries are selected in all of the output; absent unless it was asked for.
   */
  total?: number | null;
  /**
   * Where the parts of the selection end that `marks` asks for: the number of every n-th selected entry, in the order in
   * which they are read. Without `after` these are the numbers with which the parts begin, the last part first. Absent
   * unless it was asked for.
   */
  marks?: number[] | null;
  /**
   * The text for a download, of 8 MiB at most.
   */
  text?: string | null;
  /**
   * What to name as `after` to get the rest of a text that was cut; absent when it is complete.
   */
  next?: number | null;
}
/**
 * A line, text delta or tool activity of a provider, numbered in a sequence of its own.
 */
export interface OutputEntry {
  /**
   * Its number among the run's output entries, from 1.
   */
  number: number;
  /**
   * The last event that was stored when the entry was added.
   */
  afterEvent: number;
  /**
   * When it was added.
   */
  at: string;
  /**
   * The node it came from.
   */
  path: string;
  /**
   * The attempt.
   */
  attempt: number;
  /**
   * What it is.
   */
  kind: OutputKind;
  /**
   * The text, without a line end. Untrusted: it can hold terminal escapes and markup.
   */
  text: string;
}
/**
 * Shows what the catalog's current definition would change for a run, or moves the run to it.
 */
export interface MigrateRun {
  /**
   * The run.
   */
  runId: string;
  /**
   * Whether to move the run. Otherwise the changes are only shown.
   */
  apply?: boolean;
}
/**
 * The changes that a newer definition would make to a run.
 */
export interface Migration {
  /**
   * The run.
   */
  runId: string;
  /**
   * The bundle that the run continues with now.
   */
  from: BundleHash;
  /**
   * The bundle of the newer definition.
   */
  to: BundleHash;
  /**
   * The differences, one line each; empty if there are none.
   */
  diverges: string[];
  /**
   * Why the run cannot be moved at the moment; empty if it can.
   */
  obstacles: string[];
}
/**
 * Pauses a run: no new call starts, and it is paused when its running calls have ended.
 */
export interface PauseRun {
  /**
   * The run.
   */
  runId: string;
}
/**
 * Reads the definition that a run follows: its stages with their lanes and nodes, also those that have not begun.
 */
export interface GetRunPlan {
  /**
   * The run.
   */
  runId: string;
}
/**
 * The definition that a run follows, as it was when the run started or was moved to it, with what the options of the run
 * replace: `on_failure`, `max_iters`, and whether a person is asked before every stage.
 */
export interface RunPlan {
  /**
   * The workflow.
   */
  workflowId: string;
  /**
   * Its name for people.
   */
  name: string;
  /**
   * The hash of the definition.
   */
  bundle: BundleHash;
  /**
   * The stages, in order.
   */
  stages: PlannedStage[];
  /**
   * The loop, with the `maxIters` of this run.
   */
  loop: LoopSpec | null;
  /**
   * What the run may use at most.
   */
  budget: Budget | null;
  /**
   * The providers that were replaced when the run was started or forked.
   */
  providers?: ProviderMap;
  /**
   * Whether its calls work in a workspace of the run's own.
   */
  isolated: boolean;
  /**
   * What the workflow says about git worktrees.
   */
  worktree?: WorktreeSpec | null;
  /**
   * When the run was moved to another definition, the last time last.
   */
  moved: Moved[];
}
/**
 * A stage of a definition.
 */
export interface PlannedStage {
  /**
   * The id.
   */
  id: string;
  /**
   * The profile.
   */
  profile: string;
  /**
   * Whether its lanes work one after the other or at the same time.
   */
  mode: Mode;
  /**
   * One for each provider.
   */
  lanes: PlannedLane[];
  /**
   * The nodes of each lane.
   */
  nodes: PlannedNode[];
  /**
   * What a failure does.
   */
  onFailure: OnFailure;
  /**
   * Whether a person is asked before it starts.
   */
  asks: boolean;
  /**
   * Whether it is a stage of `finally`, which runs however the others end.
   */
  finally?: boolean;
  /**
   * The condition on which it runs.
   */
  when?: string | null;
  /**
   * What it may use at most.
   */
  budget?: Budget | null;
}
/**
 * A lane of a stage.
 */
export interface PlannedLane {
  /**
   * The provider; it may contain `${…}`.
   */
  provider: string;
  /**
   * The role, if it has one.
   */
  role: string | null;
  /**
   * What its vote weighs.
   */
  weight: number;
}
/**
 * The git worktree that each run works in.
 */
export interface WorktreeSpec {
  /**
   * The branch, tag or commit that a run begins with; default: the commit that the checkout is at.
   */
  base?: string | null;
  /**
   * What the name of a run's branch begins with; the id of the run follows. Default: `workflow/`.
   */
  branchPrefix?: string | null;
}
/**
 * That a run was moved to another definition.
 */
export interface Moved {
  /**
   * When.
   */
  at: string;
  /**
   * The hash of that definition.
   */
  bundle: BundleHash;
}
/**
 * Deletes runs that ended long ago, some at a time.
 */
export interface PruneRuns {
  /**
   * Only runs that ended before this time.
   */
  endedBefore: string;
  /**
   * Only runs with one of these statuses: `completed`, `failed`, `cancelled`; all three unless given.
   */
  statuses?: RunStatus[];
  /**
   * Only runs of this workflow.
   */
  workflow?: string | null;
  /**
   * How many runs to delete: 100 unless given, 1,000 at most.
   */
  limit?: number | null;
}
/**
 * What was pruned.
 */
export interface Pruned {
  /**
   * How many runs were deleted.
   */
  deleted: number;
  /**
   * How many of the selected runs are left: call again until there are none, or none is deleted.
   */
  left: number;
  /**
   * The runs that could not be deleted.
   */
  failed: Deletion[];
}
/**
 * Reports what a run did: outcome, times, cost, each stage, failures explained, questions and answers.
 */
export interface ReportRun {
  /**
   * The run.
   */
  runId: string;
  /**
   * The form; JSON unless given.
   */
  format?: ReportFormat & string;
}
/**
 * A report in the form that was asked for.
 */
export interface Reported {
  /**
   * The report, as JSON.
   */
  report?: Report | null;
  /**
   * The report as Markdown or HTML. What came from outside stays text in it.
   */
  text?: string | null;
}
/**
 * A report about a run.
 */
export interface Report {
  /**
   * The run.
   */
  runId: string;
  /**
   * Its workflow.
   */
  workflowId: string;
  /**
   * The name of the workflow; absent if its definition cannot be read.
   */
  workflowName?: string | null;
  /**
   * The hash of the definition that the run uses now.
   */
  bundle: BundleHash;
  /**
   * The providers that were replaced when it was started or forked.
   */
  providers?: ProviderMap;
  /**
   * The labels that it was started with.
   */
  labels: {
    [k: string]: string;
  };
  /**
   * The variables as they are now, shortened.
   */
  vars: {
    [k: string]: Excerpt;
  };
  /**
   * The status.
   */
  status: RunStatus;
  /**
   * The process that drives the run, described for people; absent when there is none.
   */
  holder?: string | null;
  /**
   * Who started it, if that is known.
   */
  startedBy?: Actor | null;
  /**
   * What happened, in a few sentences.
   */
  summary: string;
  /**
   * Why the run failed.
   */
  error: Failure | null;
  /**
   * What to do about it, the first thing first.
   */
  next: NextStep[];
  /**
   * What it waits for.
   */
  waits: ReportWait[];
  /**
   * The run that it was forked from.
   */
  forkedFrom: string | null;
  /**
   * When it was created.
   */
  createdAt: string;
  /**
   * When it was first driven.
   */
  startedAt: string | null;
  /**
   * When it ended.
   */
  endedAt: string | null;
  /**
   * From the first start to the end, with all waits, in milliseconds; absent while it has not ended.
   */
  durationMs: number | null;
  /**
   * How long it waited for people, quotas and retries with nothing else to do, in milliseconds.
   */
  waitedMs: number;
  /**
   * The iteration, from 1.
   */
  iteration: number;
  /**
   * What all attempts used. What is not known is counted in `unpriced` and `uncounted`.
   */
  spent: Spent;
  /**
   * When the definition repeats its stages, and until when; absent if it does not.
   */
  loop?: LoopSpec | null;
  /**
   * What was used of each budget.
   */
  budgets: ReportBudget[];
  /**
   * What failed, also where another attempt helped, in the order in which it began to fail.
   */
  failures: ReportFailure[];
  /**
   * The iterations.
   */
  iterations: ReportIteration[];
  /**
   * The passes of the stages, in order.
   */
  stages: ReportStage[];
  /**
   * The calls of providers, with each attempt. After the first 500, calls that succeeded at the first attempt are left
   * out, and after the first 1,000 all.
   */
  calls: ReportCall[];
  /**
   * What people were asked, and what they answered.
   */
  questions: ReportQuestion[];
  /**
   * The requests to pause, resume or cancel the run.
   */
  controls: ReportControl[];
  /**
   * What the run changed in its worktree; absent if it has none.
   */
  changes?: ReportChanges | null;
  /**
   * How many calls, attempts, questions, requests and commits were left out, because there are too many for a report.
   */
  omitted: number;
}
/**
 * A step that a person can take.
 */
export interface NextStep {
  /**
   * What to do, and why.
   */
  text: string;
  /**
   * The command that does it in a terminal.
   */
  command?: string | null;
  /**
   * The operation that does it.
   */
  operation?: string | null;
  /**
   * The request of that operation; a person fills in the rest of an answer.
   */
  request?: unknown;
}
/**
 * What a run waits for.
 */
export interface ReportWait {
  /**
   * The wait.
   */
  wait: Wait;
  /**
   * What that means.
   */
  meaning: string;
}
/**
 * A budget, and what was used of it.
 */
export interface ReportBudget {
  /**
   * The stage whose budget it is; absent: the run's.
   */
  stage?: string | null;
  /**
   * What it limits.
   */
  limit: BudgetLimit;
  /**
   * How much was used, as far as it is known: US dollars, tokens, or seconds.
   */
  used: number;
  /**
   * How much may be used.
   */
  of: number;
}
/**
 * Something that failed once or more.
 */
export interface ReportFailure {
  /**
   * The node whose call failed, or that failed without one; its attempts are in `calls`. Absent for a failure of a
   * whole stage or of the run.
   */
  path: string | null;
  /**
   * The stage; absent for a failure of the run.
   */
  stage: string | null;
  /**
   * The iteration.
   */
  iteration: number;
  /**
   * The provider of the last attempt.
   */
  provider: string | null;
  /**
   * How many attempts were made.
   */
  attempts: number;
  /**
   * The last error.
   */
  error: Failure;
  /**
   * Whether it succeeded in the end.
   */
  recovered: boolean;
  /**
   * Whether the run that this one was forked from made the attempts.
   */
  inherited: boolean;
  /**
   * What such an error means, and what to do about it.
   */
  advice: string;
}
/**
 * An iteration.
 */
export interface ReportIteration {
  /**
   * Its number, from 1.
   */
  iteration: number;
  /**
   * Whether the run that this one was forked from made it. An iteration that was under way then counts from the fork on.
   */
  inherited: boolean;
  /**
   * When its first stage began.
   */
  startedAt: string;
  /**
   * How long it took, in milliseconds; absent while it has not ended.
   */
  durationMs: number | null;
  /**
   * What its attempts used.
   */
  spent: Spent;
  /**
   * Whether the condition to stop was met at its end; absent if it did not get there.
   */
  stopWhen: boolean | null;
}
/**
 * A pass of a stage.
 */
export interface ReportStage {
  /**
   * The stage.
   */
  stage: string;
  /**
   * The iteration.
   */
  iteration: number;
  /**
   * How it ended, or that it has not.
   */
  status: StageStatus;
  /**
   * Whether it is a stage of `finally`, which runs however the others end.
   */
  finally?: boolean;
  /**
   * Whether the run that this one was forked from made the pass. A pass that was under way then counts from the fork on.
   */
  inherited: boolean;
  /**
   * Whether its output was replaced when the run was forked. The pass counts as completed then.
   */
  replaced: boolean;
  /**
   * When it began.
   */
  startedAt: string;
  /**
   * How long it took, in milliseconds; absent while it has not ended.
   */
  durationMs: number | null;
  /**
   * What its attempts used.
   */
  spent: Spent;
  /**
   * How many of the attempts failed.
   */
  failedAttempts: number;
  /**
   * The beginning of its output.
   */
  output: Excerpt | null;
  /**
   * Why it failed.
   */
  error: Failure | null;
  /**
   * Whether the run continued despite the failure.
   */
  continued: boolean;
}
/**
 * A call of a provider, with all its attempts.
 */
export interface ReportCall {
  /**
   * The node: `1/plan[0]/run`.
   */
  path: string;
  /**
   * The provider of the last attempt; absent if there was none.
   */
  provider: string | null;
  /**
   * The role of the last attempt.
   */
  role: string | null;
  /**
   * How it ended, or that it has not.
   */
  status: StageStatus;
  /**
   * When the first attempt began, or the call was refused.
   */
  startedAt: string;
  /**
   * From `startedAt` to the end of the last attempt, in milliseconds; absent while that has not ended.
   */
  durationMs: number | null;
  /**
   * What its attempts used.
   */
  spent: Spent;
  /**
   * The attempts; of more than 20 the last ones.
   */
  attempts: ReportAttempt[];
}
/**
 * An attempt of a call.
 */
export interface ReportAttempt {
  /**
   * Its number, from 1; absent if the provider was not called.
   */
  attempt: number | null;
  /**
   * When it began.
   */
  startedAt: string;
  /**
   * How long it took, in milliseconds; absent while it has not ended.
   */
  durationMs: number | null;
  /**
   * How it ended.
   */
  outcome: AttemptOutcome;
  /**
   * Why it failed.
   */
  error: Failure | null;
  /**
   * What was done about the failure; absent if nothing was.
   */
  then: AfterFailure | null;
  /**
   * When the next attempt was to be made.
   */
  retryAt: string | null;
}
/**
 * What a person was asked.
 */
export interface ReportQuestion {
  /**
   * The number of the wait.
   */
  wait: number;
  /**
   * Why a person was asked.
   */
  reason: WaitReason;
  /**
   * What asked: a stage as `1/plan`, or a node as `1/plan[0]/ask`.
   */
  place: string;
  /**
   * The question.
   */
  question: string;
  /**
   * When it was asked.
   */
  askedAt: string;
  /**
   * The answer, shortened; absent if there is none.
   */
  answer: Excerpt | null;
  /**
   * When it was answered.
   */
  answeredAt: string | null;
  /**
   * Who answered, if that is known.
   */
  answeredBy?: Actor | null;
}
/**
 * A request to a run.
 */
export interface ReportControl {
  /**
   * When it was carried out.
   */
  at: string;
  /**
   * `pause`, `resume`, `cancel` or `kill`.
   */
  request: string;
  /**
   * Who requested it, if that is known.
   */
  by?: Actor | null;
}
/**
 * What a run changed in its worktree.
 */
export interface ReportChanges {
  /**
   * The branch; absent while nothing was committed.
   */
  branch: string | null;
  /**
   * The commits, the oldest first; without those of the run that this one was forked from.
   */
  commits: ReportCommit[];
}
/**
 * A commit of a run.
 */
export interface ReportCommit {
  /**
   * The node whose call made the changes.
   */
  path: string;
  /**
   * The id of the commit.
   */
  commit: string;
  /**
   * The summary of the changes, as `git show --stat` prints it.
   */
  stat: string;
}
/**
 * Runs a workflow again with the variables of an old run: a fork from the start, from a stage, or from the failure.
 */
export interface RerunRun {
  /**
   * The old run, which is not changed.
   */
  runId: string;
  /**
   * Where to begin: `"start"`, which is also meant when nothing is given; `"failed"`; `{ "stage": "plan" }`.
   */
  from?: RerunPoint | null;
  /**
   * Variables with other values.
   */
  vars?: {
    [k: string]: unknown;
  };
  /**
   * The id of the new run.
   */
  newRunId?: string | null;
  /**
   * The providers in place of those that the old run has, as in `workflow:run`.
   */
  providers?: ProviderMap & {
    [k: string]: unknown;
  };
  /**
   * Whether the new run follows the workflow as it is in the catalog now.
   */
  current?: boolean;
}
/**
 * Resumes a run that is paused.
 */
export interface ResumeRun {
  /**
   * The run.
   */
  runId: string;
}
/**
 * Sends a signal to a run.
 */
export interface SignalRun {
  /**
   * The run.
   */
  runId: string;
  /**
   * The name of the signal: 1 to 64 letters, digits, `-`, `_` and `.`.
   */
  name: string;
  /**
   * What the signal says: the output of the node that takes it. Default: null.
   */
  data?: unknown;
  /**
   * An id that the sender chooses: of several signals with one id, the run receives the first.
   */
  id?: string | null;
}
/**
 * Reads the JSON Schemas of the files that the catalog keeps.
 */
export interface ListSchemas {}
/**
 * The JSON Schemas of files, with which an editor completes and checks them.
 */
export interface SchemaList {
  /**
   * The schemas, by the kind of file: `workflow`, `profile`, `role` (its front matter), `assignments`; and `run-event`, that
   * of the stored events.
   */
  schemas: {
    [k: string]: unknown;
  };
}
/**
 * Lists skills.
 */
export interface ListSkills {}
/**
 * Deletes a skill.
 */
export interface DeleteSkill {
  /**
   * The name of the skill.
   */
  id: string;
}
/**
 * Reads a skill.
 */
export interface GetSkill {
  /**
   * The name of the skill.
   */
  id: string;
}
/**
 * Adds or replaces a skill. A text with errors is refused.
 */
export interface PutSkill {
  /**
   * The name of the skill.
   */
  id: string;
  /**
   * The new text of the file.
   */
  text: string;
  /**
   * The version that the caller read, to replace it; without one it must not exist.
   */
  version?: string | null;
}
/**
 * Lists the stores of runs of this host, with how many runs they have.
 */
export interface Stores {}
/**
 * The stores of a host.
 */
export interface StoreList {
  /**
   * The stores.
   */
  stores: StoreInfo[];
}
/**
 * A store of runs.
 */
export interface StoreInfo {
  /**
   * Where it is, for people, without passwords; absent if the host does not say.
   */
  place?: string | null;
  /**
   * After how many milliseconds without a sign of life another process may take over a run; absent if it can tell at once
   * that a process has ended.
   */
  leaseMs?: number | null;
  /**
   * How many runs there are with each status that a run has.
   */
  runs: {
    [k: string]: number;
  };
}
/**
 * Lists the templates that workflows can be made from, with `template` of `workflow:create`.
 */
export interface ListTemplates {}
/**
 * The templates that workflows can be made from.
 */
export interface TemplateList {
  /**
   * The templates, the simplest first.
   */
  templates: TemplateInfo[];
}
/**
 * A template.
 */
export interface TemplateInfo {
  /**
   * What it is called among templates.
   */
  id: string;
  /**
   * The name for people.
   */
  name: string;
  /**
   * What it is for.
   */
  description: string | null;
  /**
   * The stages, in order.
   */
  stages: string[];
  /**
   * The text of the workflow.
   */
  text: string;
  /**
   * The roles, profiles and schemas that come with it, for people.
   */
  parts: string[];
}
/**
 * Changes a workflow: gives it another text, or edits fields of the one that it has. Runs that have started keep the
 * text that they were started with.
 */
export interface UpdateWorkflow {
  /**
   * The workflow.
   */
  id: string;
  /**
   * The version that the caller read.
   */
  version: string;
  /**
   * The new YAML text, if no fields are edited.
   */
  text?: string | null;
  /**
   * Fields to change, one after the other; every other byte of the text stays as it is. All are changed, or none.
   */
  edits?: FieldEdit[];
}
/**
 * Checks the text of a workflow, with everything that it refers to.
 */
export interface ValidateWorkflow {
  /**
   * The id that the file's name would give, if there is one.
   */
  id?: string | null;
  /**
   * The YAML text.
   */
  text: string;
  /**
   * Whether unknown keys are errors.
   */
  strict?: boolean;
  /**
   * The providers that the run replaces for which the text is checked, as in `workflow:run`.
   */
  providers?: ProviderMap & {
    [k: string]: unknown;
  };
  /**
   * Whether the values of the text are returned too, with where they are: for forms beside a text.
   */
  values?: boolean;
  /**
   * Whether the values that the stages have when they run are returned too, each with where it comes from.
   */
  explain?: boolean;
}
/**
 * The result of a check.
 */
export interface Validated {
  /**
   * Whether the workflow can be run: there are no errors.
   */
  valid: boolean;
  /**
   * All errors and warnings, in the order of the text.
   */
  diagnostics: Problem[];
  /**
   * The values of the text, if they were asked for.
   */
  values?: TextValues | null;
  /**
   * The values that the workflow and its stages have when they run, if they were asked for: those of the workflow
   * first, then by stage, in the order of the stages; empty while the text has errors.
   */
  effective?: Effective[] | null;
}
/**
 * What is in the text of a workflow.
 */
export interface TextValues {
  /**
   * The text as JSON, with its keys as they are written there; absent when it is not YAML.
   */
  model: unknown;
  /**
   * Where each value of the model is in the text, by the path that diagnostics and edits name it by.
   */
  ranges: {
    [k: string]: Range;
  };
  /**
   * The stages as a run executes them, with all that the text leaves out; empty while it has errors.
   */
  stages: PlannedStage[];
}
/**
 * A value that a stage has when it runs, and where it comes from.
 */
export interface Effective {
  /**
   * The stage.
   */
  stage: string;
  /**
   * The field of the stage: `provider`, `with.model`, `providers[1].role`.
   */
  field: string;
  /**
   * The value.
   */
  value: unknown;
  /**
   * Where it comes from.
   */
  from: ValueOrigin;
  /**
   * Where it is in the text, if it is written there.
   */
  range?: Range | null;
}
/**
 * Lists the processes that drive runs of the store now, and counts the runs that no process drives.
 */
export interface Workers {}
/**
 * The processes that drive runs, as far as the newest 10,000 runs that have not ended tell.
 */
export interface WorkerList {
  /**
   * The processes. One that drives no run at the moment is not known.
   */
  workers: WorkerInfo[];
  /**
   * How many runs no process drives that could be driven now: pending ones, and those that were left under way.
   */
  unclaimed: number;
  /**
   * How many runs wait for a person or a time.
   */
  waiting: number;
}
/**
 * A process that drives runs.
 */
export interface WorkerInfo {
  /**
   * The process, described for people.
   */
  holder: string;
  /**
   * How many runs it drives.
   */
  runs: number;
  /**
   * The runs, the first 100 of them.
   */
  runIds: string[];
}
/**
 * Lists the worktrees of runs, the least recently used first.
 */
export interface ListWorktrees {}
/**
 * The worktrees of runs.
 */
export interface WorktreeList {
  /**
   * The worktrees, the least recently used first.
   */
  worktrees: WorktreeInfo[];
}
/**
 * A worktree of a run.
 */
export interface WorktreeInfo {
  /**
   * The run.
   */
  runId: string;
  /**
   * The folder.
   */
  path: string;
  /**
   * The branch of the run.
   */
  branch: string;
  /**
   * When a call last worked in it.
   */
  usedAt?: string | null;
  /**
   * The status of the run; absent if the run was deleted, or is in another store.
   */
  status?: RunStatus | null;
}
/**
 * Reads what a run has committed as a patch that `git apply` takes, also for files that are not text.
 */
export interface WorktreesPatch {
  /**
   * The run.
   */
  runId: string;
}
/**
 * A patch.
 */
export interface WorktreePatch {
  /**
   * The patch; empty if the run has changed nothing.
   */
  patch: string;
}
/**
 * Removes the worktree of a run that has ended. Its branch stays, so only files that git ignores are lost.
 */
export interface RemoveWorktree {
  /**
   * The run.
   */
  runId: string;
}
/**
 * A worktree that was removed.
 */
export interface RemovedWorktree {
  /**
   * The branch of the run, which stays.
   */
  branch: string;
}
/**
 * One arm of a branch.
 */
export interface Arm {
  /**
   * When it is taken.
   */
  condition: string;
  /**
   * The nodes that it leads to. In the body of a `foreach`, where nothing follows, any names.
   */
  then: NamesForm;
}
/**
 * A node that asks a person, and waits for the answer, which is its output. While nothing else of the run is in
 * progress, the run waits in the store and needs no process.
 */
export interface AskNode {
  /**
   * The question.
   */
  question: string;
  /**
   * The answers to choose from. Default: any text, or what `output_schema` allows.
   */
  choices?: unknown[];
  /**
   * The JSON Schema that the answer has to follow: the name of a file, or the schema itself.
   */
  outputSchema?: SchemaSource | null;
  /**
   * A condition; when it is false the node is skipped.
   */
  when?: string | null;
}
/**
 * A node that decides which nodes run. Its output is the list of the nodes that the first condition
 * that is true names; empty when none is.
 */
export interface BranchNode {
  /**
   * The arms, looked at in order.
   *
   * @minItems 1
   */
  when: [Arm, ...Arm[]];
}
/**
 * A workflow with everything that its runs need, so that editing files never changes a run. Two bundles with
 * the same content have the same [hash](Bundle::hash).
 */
export interface Bundle {
  /**
   * The format; see [`BUNDLE_FORMAT`].
   */
  format: number;
  /**
   * The workflow, with defaults filled in.
   */
  workflow: Workflow;
  /**
   * The provider in place of all that the definitions name, where one was chosen for a run; see
   * [`Bundle::with_providers`].
   */
  provider?: string | null;
  /**
   * The providers in place of some, by the names that are replaced.
   */
  providers?: {
    [k: string]: string;
  };
  /**
   * What names of providers stand for, where a provider is named by an expression.
   */
  settings?: {
    [k: string]: ProviderSetting;
  };
  /**
   * The profiles of the stages that have another one than `simple`.
   */
  profiles?: {
    [k: string]: Profile;
  };
  /**
   * The roles that its nodes can have.
   */
  roles?: {
    [k: string]: Role;
  };
  /**
   * The JSON Schemas that it names, and those that they refer to, by their file names in the home.
   */
  schemas?: {
    [k: string]: unknown;
  };
  /**
   * The skills that its nodes can have, by their names; those that were not found are left out.
   */
  skills?: {
    [k: string]: Skill;
  };
  /**
   * The workflows that its nodes run, each a bundle as it would be by itself.
   */
  workflows?: {
    [k: string]: Bundle;
  };
}
/**
 * What a name of a provider stands for.
 */
export interface ProviderSetting {
  /**
   * The registered name; absent: the same name.
   */
  provider?: string | null;
  /**
   * The options of calls that do not have them, key by key.
   */
  with?: {
    [k: string]: unknown;
  };
  /**
   * How long one attempt may take where neither the stage nor the node says so.
   */
  timeout?: Period | null;
}
/**
 * A profile: how a stage does its work.
 */
export interface Profile {
  /**
   * A name for people.
   */
  name?: string | null;
  /**
   * What it is for.
   */
  description?: string | null;
  /**
   * How many nodes of a lane may be under way at a time, 1–1000; default 64.
   */
  concurrency?: number | null;
  /**
   * Variables that its nodes have where the run has none of that name.
   */
  vars?: {
    [k: string]: unknown;
  };
  /**
   * Other profiles whose nodes it has beside its own; `check.lint` is the file `workflows/stages/check.lint.yml`. Their `vars` are
   * those of this profile where it has none of that name. In a bundle all nodes are in `graph`.
   */
  include?: IncludesForm;
  /**
   * The nodes, in any order. May be left out where it includes others.
   *
   * @minItems 1
   */
  graph: [GraphNode, ...GraphNode[]];
}
/**
 * A node that calls a provider. Absent fields whose default is the stage's are taken from the stage.
 */
export interface RunNode {
  /**
   * The provider; default: the lane's.
   */
  provider?: string | null;
  /**
   * The role; default: the lane's.
   */
  role?: string | null;
  /**
   * The prompt; replaces the role's text. Default: the stage's, where the role is the lane's.
   */
  prompt?: string | null;
  /**
   * The grammar of the prompt; default: a text with `${…}`, or the stage's where the prompt is the stage's.
   */
  template?: PromptTemplate | null;
  /**
   * What follows the prompt. A text of the form of an id names a node, whose output is meant.
   */
  inputs?: unknown[];
  /**
   * The provider's own options; default: the stage's, where the provider is the lane's.
   */
  with?: {
    [k: string]: unknown;
  } | null;
  /**
   * A condition; when it is false the node is skipped.
   */
  when?: string | null;
  /**
   * Whether the output is read as JSON.
   */
  output?: OutputFormat | null;
  /**
   * The JSON Schema that the output has to follow: the name of a file, or the schema itself.
   */
  outputSchema?: SchemaSource | null;
  /**
   * How often a wrong output goes back to the provider, 0–10; default 2.
   */
  repairs?: number | null;
  /**
   * Skills that are handed to the provider; default: the stage's.
   */
  skills?: string[];
  /**
   * How long one attempt may take; default: the stage's.
   */
  timeout?: Period | null;
  /**
   * How long nothing may be heard from the provider; default: the stage's.
   */
  idleTimeout?: Period | null;
  /**
   * Environment variables of the provider's processes, beside the stage's.
   */
  env?: {
    [k: string]: string | number | boolean;
  };
  /**
   * Where the provider works; default: the stage's.
   */
  cwd?: string | null;
  /**
   * Whether to continue the agent session of this node's last call.
   */
  session?: SessionMode | null;
  /**
   * What an interruption by a crash means.
   */
  onInterrupt?: OnInterrupt | null;
  /**
   * A question to a person before the node starts.
   */
  approval?: string | null;
  /**
   * Limits of the node.
   */
  budget?: Budget | null;
}
/**
 * A node that does one thing for each of many items. Its output is the array of their outputs, in the order
 * of the items, with null for one that was skipped.
 */
export interface ForeachNode {
  /**
   * The items: a list, an expression for one as `${vars.files}`, or the name of a node.
   */
  items: unknown;
  /**
   * One after the other, or several at a time.
   */
  mode?: Mode | null;
  /**
   * How many items may be under way at a time in parallel mode, 1–1000; default 16.
   */
  concurrency?: number | null;
  /**
   * A condition; when it is false the node is skipped.
   */
  when?: string | null;
  /**
   * What is done for each item, which `${item}` and, in conditions, `$.item` stand for: a node without an id, or a graph.
   */
  run: Node;
}
/**
 * A node that runs a graph again and again, until a condition is true or there were enough iterations. Its output is what
 * the graph of its body makes in the last iteration: the output of its last node, or of its `export`.
 */
export interface LoopNode {
  /**
   * The most iterations, 1–100.
   */
  maxIters: number;
  /**
   * When the loop ends: a condition that is evaluated after each iteration and reads the nodes of the body, such as
   * `$.nodes.check.output.ok`. Without it there are `max_iters` iterations.
   */
  stopWhen?: string | null;
  /**
   * What reaching `max_iters` means where `stop_when` was never true; default: the node fails.
   */
  onExhausted?: Exhausted | null;
  /**
   * A condition; when it is false the node is skipped.
   */
  when?: string | null;
  /**
   * The nodes of the body, in any order. `${previous.x}` is the output of the node `x` in the iteration before, and null
   * in the first.
   *
   * @minItems 1
   */
  graph: [GraphNode, ...GraphNode[]];
}
/**
 * A node that makes one value of several.
 */
export interface ReduceNode {
  /**
   * The nodes whose outputs are taken. The elements of the output are, where there is one node and
   * its output is an array.
   */
  from: NamesForm;
  /**
   * How.
   */
  strategy: ReduceStrategy;
  /**
   * The provider; default: the lane's.
   */
  provider?: string | null;
  /**
   * The role; default: the lane's.
   */
  role?: string | null;
  /**
   * The prompt; replaces the role's text. Default: the stage's, where the role is the lane's.
   */
  prompt?: string | null;
  /**
   * The grammar of the prompt; default: a text with `${…}`, or the stage's where the prompt is the stage's.
   */
  template?: PromptTemplate | null;
  /**
   * What follows the prompt. A text of the form of an id names a node, whose output is meant.
   */
  inputs?: unknown[];
  /**
   * The provider's own options; default: the stage's, where the provider is the lane's.
   */
  with?: {
    [k: string]: unknown;
  } | null;
  /**
   * A condition; when it is false the node is skipped.
   */
  when?: string | null;
  /**
   * Whether the output is read as JSON.
   */
  output?: OutputFormat | null;
  /**
   * The JSON Schema that the output has to follow: the name of a file, or the schema itself.
   */
  outputSchema?: SchemaSource | null;
  /**
   * How often a wrong output goes back to the provider, 0–10; default 2.
   */
  repairs?: number | null;
  /**
   * Skills that are handed to the provider; default: the stage's.
   */
  skills?: string[];
  /**
   * How long one attempt may take; default: the stage's.
   */
  timeout?: Period | null;
  /**
   * How long nothing may be heard from the provider; default: the stage's.
   */
  idleTimeout?: Period | null;
  /**
   * Environment variables of the provider's processes, beside the stage's.
   */
  env?: {
    [k: string]: string | number | boolean;
  };
  /**
   * Where the provider works; default: the stage's.
   */
  cwd?: string | null;
  /**
   * Whether to continue the agent session of this node's last call.
   */
  session?: SessionMode | null;
  /**
   * What an interruption by a crash means.
   */
  onInterrupt?: OnInterrupt | null;
  /**
   * A question to a person before the node starts.
   */
  approval?: string | null;
  /**
   * Limits of the node.
   */
  budget?: Budget | null;
}
/**
 * A node that checks a value, and makes it the output of the lane.
 */
export interface ExportNode {
  /**
   * The node whose output it is.
   */
  from: string;
  /**
   * The JSON Schema that the value has to follow: the name of a file, or the schema itself. Where it comes from a call that has no schema
   * of its own, the reply has to follow it, and a wrong one goes back to the provider.
   */
  outputSchema?: SchemaSource | null;
  /**
   * How often a wrong output goes back to the provider, 0–10; default 2.
   */
  repairs?: number | null;
  /**
   * A condition; when it is false the node is skipped.
   */
  when?: string | null;
}
/**
 * A node that makes a value without a call.
 */
export interface SetNode {
  /**
   * Its output: a value in which `${…}` is resolved.
   */
  value: unknown;
  /**
   * A condition; when it is false the node is skipped.
   */
  when?: string | null;
}
/**
 * A node that waits for a time, or for a signal that is sent to the run. While nothing else of the run is in progress, the
 * run waits in the store and needs no process.
 */
export interface WaitNode {
  /**
   * How long it waits, counted from when the node starts.
   */
  for?: Period | null;
  /**
   * Until when it waits: a date and a time with their offset from UTC, such as `2026-12-01T08:00:00Z` or
   * `2026-12-01T09:00:00+01:00`, or an expression for them. A time in the past ends the node at once.
   */
  until?: string | null;
  /**
   * The name of the signal that it waits for: 1 to 64 letters, digits, `-`, `_` and `.`. Its output is the data of the
   * signal; without a signal it is null. A signal that was sent before the node starts is kept for it; each is taken by
   * one node.
   */
  signal?: string | null;
  /**
   * How long it waits for the signal; then it fails with `timeout`. Default: without a limit.
   */
  timeout?: Period | null;
  /**
   * A condition; when it is false the node is skipped.
   */
  when?: string | null;
}
/**
 * A node that ends the run: once its stage has completed, later stages are skipped.
 */
export interface EndNode {
  /**
   * How the run ends.
   */
  status?: EndStatus | null;
  /**
   * Why it ends there.
   */
  reason?: string | null;
  /**
   * The output of the run; default: what it is otherwise.
   */
  output?: unknown;
  /**
   * A condition; when it is false the node is skipped.
   */
  when?: string | null;
}
/**
 * A node that runs another workflow as a run of its own, and waits until that has ended. Its output is the run's.
 */
export interface WorkflowNode {
  /**
   * The id of the workflow. The key is not `id`, which is the name of the node.
   */
  workflow: string;
  /**
   * The variables that the run is given: values in which `${…}` is resolved.
   */
  vars?: {
    [k: string]: unknown;
  };
  /**
   * A condition; when it is false the node is skipped.
   */
  when?: string | null;
}
/**
 * The body of a `foreach` that is a graph, which is run for each item. Its output is what the graph makes: the output of its
 * last node, or of its `export`. An item fails when a node of its graph fails for it.
 */
export interface GraphBody {
  /**
   * A condition; when it is false the item is skipped.
   */
  when?: string | null;
  /**
   * The nodes, in any order. `${item}` is the item in all of them.
   *
   * @minItems 1
   */
  graph: [GraphNode, ...GraphNode[]];
}
/**
 * A role: front matter and a template.
 */
export interface Role {
  /**
   * The id.
   */
  id: string;
  /**
   * A name for people.
   */
  name?: string | null;
  /**
   * The JSON Schema file that the output has to follow, unless the node names one.
   */
  outputSchema?: string | null;
  /**
   * What the role reads: a text of the form of an id names a variable, a node or a stage; any other is
   * a `${…}` template.
   */
  inputs?: string[];
  /**
   * What it has to keep to: texts that follow the prompt. They are templates like the body.
   */
  guards?: string[];
  /**
   * Skills that are handed to the provider.
   */
  skills?: string[];
  /**
   * The provider that its author would choose.
   */
  recommendedProvider?: string | null;
  /**
   * The variables that its template uses.
   */
  variables?: Variable[];
  /**
   * The template, in Handlebars.
   */
  body: string;
}
/**
 * A skill: a folder with instructions for an agent.
 */
export interface Skill {
  /**
   * The text of its `SKILL.md`.
   */
  text: string;
  /**
   * The folder, where there is one: the instructions may refer to other files in it.
   */
  folder?: string | null;
}
/**
 * One of two runs.
 */
export interface ComparedRun {
  /**
   * The run.
   */
  runId: string;
  /**
   * Its workflow.
   */
  workflowId: string;
  /**
   * The hash of the definition that it follows.
   */
  bundle: BundleHash;
  /**
   * The status.
   */
  status: RunStatus;
  /**
   * Why it failed.
   */
  error: Failure | null;
  /**
   * When it was created.
   */
  createdAt: string;
  /**
   * From the first start to the end, with all waits, in milliseconds; absent while it has not ended.
   */
  durationMs: number | null;
  /**
   * How long it waited for people, quotas and retries with nothing else to do, in milliseconds.
   */
  waitedMs: number;
  /**
   * The iteration, from 1.
   */
  iteration: number;
  /**
   * What all attempts used.
   */
  spent: Spent;
}
/**
 * Which runs do not work at the same time.
 */
export interface Concurrency {
  /**
   * What the runs share, of this workflow and of others: a text in which `${vars.x}` is resolved when a run starts. At most
   * 256 bytes.
   */
  key: string;
  /**
   * What a new run does while another one with the same key has not ended; default: `queue`.
   */
  mode?: SlotMode;
}
/**
 * What would run, and what is missing for that.
 */
export interface DryRun {
  /**
   * The workflow.
   */
  workflow: string;
  /**
   * Whether the run would start.
   */
  ready: boolean;
  /**
   * What is missing.
   */
  missing: Missing;
  /**
   * The errors and warnings of the definition.
   */
  diagnostics: Problem[];
  /**
   * The hash of the resolved definition; absent where it has errors, as are the stages then.
   */
  bundle: BundleHash | null;
  /**
   * The stages, in order.
   */
  stages: PlannedStage[];
  /**
   * The loop, with the `maxIters` of this run.
   */
  loop: LoopSpec | null;
  /**
   * Whether its calls would work in a workspace of the run's own.
   */
  isolated: boolean;
  /**
   * What the workflow says about git worktrees.
   */
  worktree?: WorktreeSpec | null;
  /**
   * What the run would share with others: only one of them works at a time. Absent where the workflow says nothing of it,
   * or the key has no value yet.
   */
  slot?: RunSlot | null;
  /**
   * The variables that it can be given.
   */
  inputs: Input[];
}
/**
 * A run that a client follows, and what it has of it already.
 */
export interface FollowRun {
  /**
   * The run.
   */
  runId: string;
  /**
   * The number of the last event that the client has; 0 for none.
   */
  after?: number;
  /**
   * The number of the last output entry that the client has, 0 for none. Absent: no output is sent.
   */
  afterOutput?: number | null;
}
/**
 * A profile whose nodes another one has beside its own.
 */
export interface Include {
  /**
   * The stage and the id of the profile, as `check.lint`.
   */
  profile: string;
  /**
   * Nodes that have to end before any of its nodes starts.
   */
  after?: NamesForm | null;
}
/**
 * Why an item of a `foreach` failed whose node continues.
 */
export interface ItemFailure {
  /**
   * The number of the item, counted from 0: where the output has null.
   */
  index: number;
  /**
   * The numbers of the items below it, where the body is a `foreach` itself.
   */
  inner?: number[];
  /**
   * The kind of failure.
   */
  class: FailureClass;
  /**
   * What happened, for a person.
   */
  message: string;
  /**
   * More, where there is more.
   */
  details?: unknown;
}
/**
 * The items of a `foreach` node.
 */
export interface ItemsView {
  /**
   * How many there are.
   */
  total: number;
  /**
   * How many have ended: succeeded, were skipped, or failed where the node continues.
   */
  done: number;
  /**
   * Those that have begun and have not ended so.
   */
  open: NodeView[];
}
/**
 * A node of a lane's graph, or one item of a `foreach` node.
 */
export interface NodeView {
  /**
   * The node's id; that of an item is its number: `3`.
   */
  id: string;
  /**
   * The status.
   */
  status: StageStatus;
  /**
   * The provider of the last attempt.
   */
  provider?: string | null;
  /**
   * The role of the last attempt.
   */
  role?: string | null;
  /**
   * How many attempts there were.
   */
  attempts?: number;
  /**
   * When it is tried again.
   */
  retryAt?: string | null;
  /**
   * The output, once it has succeeded; after a failed attempt that attempt's output.
   */
  output?: unknown;
  /**
   * The last failure.
   */
  error?: Failure | null;
  /**
   * From the first attempt's start to the last one's end, in milliseconds.
   */
  duration?: number | null;
  /**
   * The run that its last attempt has started, of a node that runs another workflow.
   */
  run?: string | null;
  /**
   * The items of a `foreach` node that is under way or has failed.
   */
  items?: ItemsView | null;
  /**
   * How many iterations a loop has begun.
   */
  iterations?: number | null;
  /**
   * Of an item for which a graph is run: the nodes of the graph that have events, in the order of their first events.
   */
  nodes?: NodeView[];
  /**
   * Why items failed of a `foreach` node with `on_failure: continue`, in the order of the items.
   */
  errors?: ItemFailure[];
}
/**
 * One of several providers of a stage.
 */
export interface Lane {
  /**
   * The provider that does the work.
   */
  provider: string;
  /**
   * The role; default: the stage's.
   */
  role?: string | null;
  /**
   * What its vote weighs with `majority`, 0–1000; default 1. With 0 it works and has no vote. In a file it may
   * have a fraction: the weights of a stage are read as whole numbers in the same proportion.
   */
  weight?: number | null;
  /**
   * The prompt; default: the stage's.
   */
  prompt?: string | null;
  /**
   * The provider's own options; default: the stage's.
   */
  with?: {
    [k: string]: unknown;
  } | null;
  /**
   * Whether the output is read as JSON; default: the stage's.
   */
  output?: OutputFormat | null;
  /**
   * How long one attempt may take; default: the stage's.
   */
  timeout?: Period | null;
  /**
   * How long nothing may be heard from the provider; default: the stage's.
   */
  idleTimeout?: Period | null;
  /**
   * Environment variables of the provider's processes, beside the stage's.
   */
  env?: {
    [k: string]: string | number | boolean;
  };
  /**
   * Where the provider works; default: the stage's.
   */
  cwd?: string | null;
}
/**
 * One provider's pass through a stage.
 */
export interface LaneView {
  /**
   * The provider, once it has been called.
   */
  provider: string | null;
  /**
   * The role, where there is one.
   */
  role: string | null;
  /**
   * The status.
   */
  status: StageStatus;
  /**
   * How many attempts there were.
   */
  attempts: number;
  /**
   * When it is tried again.
   */
  retryAt?: string | null;
  /**
   * The output; after a failed attempt that attempt's output. Null if there is none.
   */
  output: unknown;
  /**
   * The last failure.
   */
  error: Failure | null;
  /**
   * From the first attempt's start to the last one's end, in milliseconds.
   */
  duration: number | null;
  /**
   * The nodes of its graph that have events, in the order of their first events; none without a graph.
   */
  nodes?: NodeView[];
}
/**
 * A value that was left out of an event.
 */
export interface Large {
  /**
   * The member of the event's data, which is null in the message.
   */
  member: string;
  /**
   * How long its JSON is.
   */
  bytes: number;
}
/**
 * What is missing for a run.
 */
export interface Missing {
  /**
   * What is wrong with the variables, labels and options, for people.
   */
  problems: string[];
  /**
   * The names of variables that are required and not given.
   */
  variables: string[];
  /**
   * The names of secrets that the host does not have.
   */
  secrets: string[];
  /**
   * What is said of providers that are not registered.
   */
  providers: string[];
}
/**
 * What the stages of a run read and write.
 */
export interface RunContext {
  /**
   * The variables.
   */
  vars: {
    [k: string]: unknown;
  };
  /**
   * The stages that have begun, with their outputs.
   */
  stages: {
    [k: string]: StageView;
  };
}
/**
 * A stage of a run: its latest pass.
 */
export interface StageView {
  /**
   * The status.
   */
  status: StageStatus;
  /**
   * The iteration of the pass.
   */
  iteration: number;
  /**
   * The output, if there is one; for a stage that failed, the output of its failed attempt.
   */
  output?: unknown;
  /**
   * What its attempts used, in all iterations.
   */
  spent: Spent & {
    [k: string]: unknown;
  };
  /**
   * The lanes.
   */
  results: LaneView[];
  /**
   * When the pass began.
   */
  startedAt?: string | null;
  /**
   * When it ended.
   */
  endedAt?: string | null;
  /**
   * Why it failed.
   */
  error?: Failure | null;
}
/**
 * A signal that is sent to a run: something has happened outside. A node of type `wait` that names it takes it, and its data
 * is the output of that node. Of several signals with one name each is taken by one node, in the order in which they
 * were sent. A signal that no node waits for is kept for one that starts later.
 */
export interface Signal {
  /**
   * Its name: 1 to 64 letters, digits, `-`, `_` and `.`.
   */
  name: string;
  /**
   * What it says.
   */
  data?: unknown;
  /**
   * Its id, which the sender chooses: of several signals with one id, a run receives the first.
   */
  id?: string | null;
}
/**
 * One stage.
 */
export interface Stage {
  /**
   * The provider: claude-code, codex, gemini, grok, or a name that the host registers.
   */
  provider?: string | null;
  /**
   * The role; default: the one that is called like the stage, if there is one.
   */
  role?: string | null;
  /**
   * The profile; default: `simple`.
   */
  profile?: string | null;
  /**
   * Whether several providers work one after the other or at the same time.
   */
  mode?: Mode | null;
  /**
   * Several providers instead of one.
   */
  providers?: Lane[];
  /**
   * When parallel providers make a success.
   */
  parallelStrategy?: ParallelStrategy | null;
  /**
   * What a failure does.
   */
  onFailure?: OnFailure | null;
  /**
   * How many more attempts `on_failure: retry` makes, 0–10; default 3.
   */
  retries?: number | null;
  /**
   * The base of the exponential backoff, in seconds; default 5.
   */
  retryBackoff?: Period | null;
  /**
   * The run may not finish before that many iterations, 0–100.
   */
  minIterations?: number | null;
  /**
   * Skills that are handed to the provider.
   */
  skills?: string[];
  /**
   * The prompt; replaces the role's text.
   */
  prompt?: string | null;
  /**
   * The grammar of the prompt; default: a text with `${…}`.
   */
  template?: PromptTemplate | null;
  /**
   * The provider's own options.
   */
  with?: {
    [k: string]: unknown;
  } | null;
  /**
   * A condition; when it is false the stage is skipped.
   */
  when?: string | null;
  /**
   * A condition; when it is true after the stage has completed, the run ends there, and later stages are skipped.
   */
  endWhen?: string | null;
  /**
   * What follows the prompt.
   */
  inputs?: unknown[];
  /**
   * Variables to write from the output.
   */
  set?: {
    [k: string]: unknown;
  };
  /**
   * Whether the output is read as JSON.
   */
  output?: OutputFormat | null;
  /**
   * The JSON Schema that the output has to follow: the name of a file, or the schema itself.
   */
  outputSchema?: SchemaSource | null;
  /**
   * How often a wrong output goes back to the provider, 0–10; default 2.
   */
  repairs?: number | null;
  /**
   * How long one attempt may take.
   */
  timeout?: Period | null;
  /**
   * How long nothing may be heard from the provider.
   */
  idleTimeout?: Period | null;
  /**
   * Environment variables of the provider's processes.
   */
  env?: {
    [k: string]: string | number | boolean;
  };
  /**
   * Where the provider works.
   */
  cwd?: string | null;
  /**
   * Whether to continue the agent session of this stage's last call.
   */
  session?: SessionMode | null;
  /**
   * What an interruption by a crash means.
   */
  onInterrupt?: OnInterrupt | null;
  /**
   * A question to a person before the stage starts.
   */
  approval?: string | null;
  /**
   * Limits of the stage.
   */
  budget?: Budget | null;
}
/**
 * Whether the store of runs can be read.
 */
export interface StoreCheck {
  /**
   * Why it cannot be read; absent if it can.
   */
  problem?: string | null;
}
/**
 * What a client wants to follow.
 */
export interface Subscribe {
  /**
   * The runs whose events are followed; at most 1,000.
   */
  runs?: FollowRun[];
  /**
   * Whether the heads of all runs are followed: for lists.
   */
  heads?: boolean;
}
/**
 * A workflow: stages that run in order, once or in a loop.
 */
export interface Workflow {
  /**
   * The id.
   */
  id: string;
  /**
   * A name for people, 2–100 characters; the id where nothing else was written.
   */
  name: string;
  /**
   * What it is for.
   */
  description?: string | null;
  /**
   * The variables that a run is given when it starts, where they are declared: a run is then given no others.
   */
  inputs?: {
    [k: string]: WorkflowInput;
  } | null;
  /**
   * What stages have where they leave a field out.
   */
  defaults?: Stage | null;
  /**
   * The loop, where there is one.
   */
  loop?: LoopSpec | null;
  /**
   * Limits of the whole run.
   */
  budget?: Budget | null;
  /**
   * The output of a run; absent: that of the last stage that was not skipped.
   */
  output?: unknown;
  /**
   * That runs work in a git worktree of their own, and on which branch.
   */
  worktree?: WorktreeSpec | null;
  /**
   * That runs with the same key do not work at the same time.
   */
  concurrency?: Concurrency | null;
  /**
   * Which of the runs that no process drives is claimed first; default: 0. The start of a run can say otherwise.
   */
  priority?: Priority | null;
  /**
   * The stages, in the order they run.
   */
  stages: {
    [k: string]: Stage;
  };
  /**
   * The last of the stages, which run however the others end: after a success, a failure or a cancellation.
   */
  finally?: string[];
  /**
   * How long these stages may take together; default: 10 minutes.
   */
  finallyTimeout?: Period | null;
}
/**
 * An input of a workflow: a variable that a run is given when it starts.
 */
export interface WorkflowInput {
  /**
   * The type of the value; default: `string`.
   */
  type?: VariableType;
  /**
   * The only values that it may have.
   */
  enum?: unknown[];
  /**
   * Whether a run does not start without it; default: true where it has no `default`.
   */
  required?: boolean | null;
  /**
   * The value where the run is given none.
   */
  default?: unknown;
  /**
   * What it is for.
   */
  description?: string | null;
  /**
   * Whether it is a secret of the host, which calls name as `${secrets.NAME}`. It is not given when the run starts,
   * and it is not stored.
   */
  secret?: boolean;
}

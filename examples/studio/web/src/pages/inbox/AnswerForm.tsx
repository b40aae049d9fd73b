import { useId, useState } from "react";

type Schema = Record<string, unknown>;

interface Property {
  name: string;
  kind: "text" | "number" | "boolean" | "choice" | "json";
  choices: unknown[];
  isRequired: boolean;
  description: string | undefined;
}

const isObject = (value: unknown): value is Schema =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Whether a question is an approval: it is answered with yes or no, and a comment. */
export function isApproval(schema: unknown): boolean {
  const variants = isObject(schema) && Array.isArray(schema["anyOf"]) ? (schema["anyOf"] as unknown[]) : [];
  return variants.some(
    (variant) => isObject(variant) && isObject(variant["properties"]) && "approved" in variant["properties"],
  );
}

/** The fields of an answer: those of an object, or one for a single value. */
function fieldsOf(schema: unknown): { fields: Property[]; isSingle: boolean } {
  if (!isObject(schema)) return { fields: [property("answer", { type: "string" }, true)], isSingle: true };
  if (schema["type"] !== "object" || !isObject(schema["properties"])) {
    return { fields: [property("answer", schema, true)], isSingle: true };
  }
  const required = Array.isArray(schema["required"]) ? schema["required"] : [];
  const fields = Object.entries(schema["properties"]).map(([name, part]) =>
    property(name, part, required.includes(name)),
  );
  return { fields, isSingle: false };
}

function property(name: string, schema: unknown, isRequired: boolean): Property {
  const part = isObject(schema) ? schema : {};
  const choices = Array.isArray(part["enum"]) ? part["enum"] : [];
  const kinds = { string: "text", number: "number", integer: "number", boolean: "boolean" } as const;
  const type = typeof part["type"] === "string" ? part["type"] : "";
  const kind = choices.length > 0 ? "choice" : (kinds[type as keyof typeof kinds] ?? "json");
  const description = typeof part["description"] === "string" ? part["description"] : undefined;
  return { name, kind, choices, isRequired, description };
}

/** What a person has written, and the value that it is. The server checks it against the schema. */
export function useAnswer(schema: unknown) {
  const { fields, isSingle } = fieldsOf(schema);
  const [texts, setTexts] = useState<Record<string, string>>({});
  const [errors, setErrors] = useState<Record<string, string>>({});
  const set = (name: string, text: string) => {
    setTexts((known) => ({ ...known, [name]: text }));
    setErrors((known) => Object.fromEntries(Object.entries(known).filter(([other]) => other !== name)));
  };
  const json = (name: string): { value: unknown } | undefined => {
    const text = (texts[name] ?? "").trim();
    try {
      return { value: JSON.parse(text) as unknown };
    } catch {
      return /^[[{"]/.test(text) ? undefined : { value: text };
    }
  };
  return {
    fields,
    texts,
    errors,
    set,
    comment: texts["comment"] ?? "",
    /** The result of a call that happened; undefined, with an error, if it is no JSON. */
    result: () => {
      const result = json("result");
      if (result === undefined) setErrors({ result: "This is neither a text nor JSON." });
      return result;
    },
    value: (): { value: unknown } | undefined => {
      const found: Record<string, unknown> = {};
      const wrong: Record<string, string> = {};
      for (const { name, kind, choices, isRequired } of fields) {
        const text = texts[name] ?? "";
        if (kind === "boolean") {
          if (text !== "" || isRequired) found[name] = text === "true";
        } else if (text === "") {
          if (isRequired && kind !== "text") wrong[name] = "This is required.";
          else if (isRequired || isSingle) found[name] = "";
        } else if (kind === "number") {
          if (Number.isNaN(Number(text))) wrong[name] = "Write a number.";
          else found[name] = Number(text);
        } else if (kind === "choice") {
          found[name] = choices[Number(text)];
        } else if (kind === "json") {
          const value = json(name);
          if (value === undefined) wrong[name] = "This is not JSON.";
          else found[name] = value.value;
        } else {
          found[name] = text;
        }
      }
      setErrors(wrong);
      if (Object.keys(wrong).length > 0) return undefined;
      return { value: isSingle ? found["answer"] : found };
    },
  };
}

/** The fields; `only` one of a form that the page knows: a comment, or a result. */
export function AnswerForm({ answer, only }: { answer: ReturnType<typeof useAnswer>; only?: "comment" | "result" }) {
  if (only === "comment") {
    return (
      <Field
        answer={answer}
        field={{ ...text("comment"), description: "Optional; it is stored with the answer." }}
        label="Comment"
      />
    );
  }
  if (only === "result") {
    return (
      <Field
        answer={answer}
        field={{
          ...text("result"),
          kind: "json",
          description: "What the call returned, if it happened: text or JSON.",
        }}
        label="Result"
      />
    );
  }
  return (
    <>
      {answer.fields.map((field) => (
        <Field key={field.name} answer={answer} field={field} label={field.name === "answer" ? "Answer" : field.name} />
      ))}
    </>
  );
}

const text = (name: string): Property => ({
  name,
  kind: "text",
  choices: [],
  isRequired: false,
  description: undefined,
});

function Field({ answer, field, label }: { answer: ReturnType<typeof useAnswer>; field: Property; label: string }) {
  const id = useId();
  const { name, kind, choices, isRequired, description } = field;
  const value = answer.texts[name] ?? "";
  const error = answer.errors[name];
  const shared = {
    id,
    "aria-describedby": `${id}-about`,
    "aria-invalid": error !== undefined,
    className: "field",
  };
  const change = (next: string) => answer.set(name, next);
  return (
    <div className="form-field">
      <label htmlFor={id}>
        {label}
        {isRequired && kind !== "boolean" ? <span className="muted small"> required</span> : null}
      </label>
      {kind === "boolean" ? (
        <input
          {...shared}
          className=""
          type="checkbox"
          checked={value === "true"}
          onChange={(event) => change(String(event.target.checked))}
        />
      ) : kind === "choice" ? (
        <select {...shared} value={value} onChange={(event) => change(event.target.value)}>
          <option value="">Choose</option>
          {choices.map((choice, n) => (
            <option key={n} value={n}>
              {typeof choice === "string" ? choice : JSON.stringify(choice)}
            </option>
          ))}
        </select>
      ) : kind === "number" ? (
        <input {...shared} inputMode="decimal" value={value} onChange={(event) => change(event.target.value)} />
      ) : (
        <textarea
          {...shared}
          className={kind === "json" ? "field mono" : "field"}
          rows={name === "comment" ? 1 : 3}
          value={value}
          onChange={(event) => change(event.target.value)}
        />
      )}
      <p id={`${id}-about`} className={error === undefined ? "muted small" : "field-error"}>
        {error ?? description}
      </p>
    </div>
  );
}

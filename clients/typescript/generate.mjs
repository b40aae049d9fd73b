// Writes src/types.ts from service.schema.json; with --check, fails when it is out of date.
import { readFile, writeFile } from "node:fs/promises";
import { compile } from "json-schema-to-typescript";

/** The schema with a name in place of each reference: the library makes a copy of a type that is referred to with a
 * description. And without the examples in Rust. */
function prepare(schema) {
  if (Array.isArray(schema)) return schema.map(prepare);
  if (typeof schema !== "object" || schema === null) return schema;
  const prepared = Object.fromEntries(Object.entries(schema).map(([name, part]) => [name, prepare(part)]));
  if (typeof prepared.description === "string") {
    prepared.description = prepared.description.replace(/\n*```[^]*?```/g, "");
  }
  const { $ref, description, ...rest } = prepared;
  if (typeof description === "string" && Object.keys(prepared).every((key) => ["description", "default"].includes(key))) {
    // Any JSON; the library would take an object for granted.
    return { description, tsType: "unknown" };
  }
  if (typeof $ref === "string" && Object.keys(rest).length > 0) {
    // A variant that is a type and a tag.
    return { description, allOf: [{ $ref }, rest] };
  }
  if (typeof $ref === "string" && description !== undefined) {
    return { description, tsType: $ref.replace("#/$defs/", "") };
  }
  if (prepared.patternProperties !== undefined && prepared.properties === undefined) {
    // Keys with a form are texts in TypeScript.
    [prepared.additionalProperties] = Object.values(prepared.patternProperties);
    delete prepared.patternProperties;
  }
  const { properties, required, allOf, oneOf } = prepared;
  if (properties !== undefined && (allOf !== undefined || oneOf !== undefined)) {
    // Members beside a choice: both as parts.
    const parts = [...(allOf ?? []), ...(oneOf === undefined ? [] : [{ oneOf }])];
    return { description, allOf: [{ type: "object", properties, required }, ...parts] };
  }
  return prepared;
}

const schema = prepare(JSON.parse(await readFile(new URL("service.schema.json", import.meta.url), "utf8")));
const compiled = await compile(schema, schema.title, {
  additionalProperties: false,
  bannerComment: "// Generated from service.schema.json by `cargo xtask typescript`: do not edit.",
  unreachableDefinitions: true,
  style: { printWidth: 120 },
});
// The library says of every type that it is a definition.
const generated = compiled
  .replace(/ \*\n \* This interface was referenced by .*\n \* via the `definition` .*\n/g, "")
  .replace(/\/\*\*\n \* This interface was referenced by .*\n \* via the `definition` .*\n \*\/\n/g, "");

const path = new URL("src/types.ts", import.meta.url);
if (process.argv.includes("--check")) {
  if ((await readFile(path, "utf8")) !== generated) {
    console.error("src/types.ts is out of date: run `cargo xtask typescript`");
    process.exit(1);
  }
} else {
  await writeFile(path, generated);
}

import type { Client } from "../client.js";
import { ServiceFailure } from "../failure.js";
import type { PartText } from "../types.js";
import type { ProfileInfo, ProviderInfo, RoleInfo, SkillInfo, StageAssignment } from "./shapes.js";
import { isMembers, isSame, yaml, type Members } from "./yaml.js";

/** What `read` returns, or undefined where it does not exist. */
async function optional<T>(read: Promise<T>): Promise<T | undefined> {
  try {
    return await read;
  } catch (failure) {
    if (failure instanceof ServiceFailure && failure.code === "not_found") return undefined;
    throw failure;
  }
}

const membersOf = (part: PartText | undefined): Members => (isMembers(part?.model) ? part.model : {});
/** Names the version that a text replaces, if there is one. */
const replaces = (part: PartText | undefined) => (part === undefined ? {} : { version: part.version });

/** Everything in a list, as far as it was not deleted in the meantime. */
async function all<I, T>(items: I[], read: (item: I) => Promise<T>): Promise<T[]> {
  const found = await Promise.all(items.map((item) => optional(read(item))));
  return found.filter((item) => item !== undefined) as T[];
}

/** Assignments, profiles, roles, skills and providers, as the app has them. */
export class Parts {
  readonly #client: Client;

  constructor(client: Client) {
    this.#client = client;
  }

  async assignments(): Promise<Record<string, StageAssignment>> {
    const { assignments } = membersOf(await optional(this.#client.call("workflow:assignments")));
    return isMembers(assignments) ? (assignments as Record<string, StageAssignment>) : {};
  }

  /** Replaces the assignments. The file's other keys stay, its comments do not. */
  async setAssignments(assignments: Record<string, StageAssignment>): Promise<void> {
    const former = await optional(this.#client.call("workflow:assignments"));
    const members = membersOf(former);
    if (former !== undefined && isSame(members["assignments"], assignments)) return;
    const text = yaml({ ...members, assignments });
    await this.#client.call("workflow:assignments:put", { text, ...replaces(former) });
  }

  async profiles(stage?: string): Promise<ProfileInfo[]> {
    const { items } = await this.#client.call("workflow:profiles");
    return all(
      items.filter((item) => stage === undefined || item.stage === stage),
      async (item): Promise<ProfileInfo> => {
        const key = { stage: item.stage ?? "", id: item.id };
        return { ...membersOf(await this.#client.call("workflow:profiles:get", key)), ...key };
      },
    );
  }

  async setProfile(stage: string, profile: ProfileInfo): Promise<void> {
    const { id, stage: _, ...members } = profile;
    const former = await optional(this.#client.call("workflow:profiles:get", { stage, id }));
    if (former !== undefined && isSame(membersOf(former), members)) return;
    await this.#client.call("workflow:profiles:put", { stage, id, text: yaml(members), ...replaces(former) });
  }

  async roles(): Promise<RoleInfo[]> {
    const { items } = await this.#client.call("workflow:roles");
    return all(items, async ({ id }) => {
      const { body: _, ...role } = roleInfo(id, await this.#client.call("workflow:roles:get", { id }));
      return role;
    });
  }

  async role(id: string): Promise<RoleInfo | null> {
    const role = await optional(this.#client.call("workflow:roles:get", { id }));
    return role === undefined ? null : roleInfo(id, role);
  }

  async skills(): Promise<SkillInfo[]> {
    const { items } = await this.#client.call("workflow:skills");
    return all(items, async ({ id }) => skillInfo(id, await this.#client.call("workflow:skills:get", { id })));
  }

  async skill(id: string): Promise<SkillInfo | null> {
    const skill = await optional(this.#client.call("workflow:skills:get", { id }));
    return skill === undefined ? null : skillInfo(id, skill);
  }

  async createSkill(skill: SkillInfo): Promise<SkillInfo> {
    const now = new Date().toISOString();
    const text = skillText({ ...skill, isBuiltIn: false, createdAt: now, updatedAt: now });
    return skillInfo(skill.id, await this.#client.call("workflow:skills:put", { id: skill.id, text }));
  }

  /** Changes the members that are given. A skill that is a Markdown file stays one. */
  async updateSkill(skill: Partial<SkillInfo> & { id: string }): Promise<SkillInfo> {
    const { id } = skill;
    const former = await this.#client.call("workflow:skills:get", { id });
    const text = isJson(former)
      ? skillText({ ...membersOf(former), ...skill, updatedAt: new Date().toISOString() })
      : markdownText(former, skill);
    return skillInfo(id, await this.#client.call("workflow:skills:put", { id, text, version: former.version }));
  }

  async deleteSkill(id: string): Promise<void> {
    await this.#client.call("workflow:skills:delete", { id });
  }

  async duplicateSkill(id: string, newId?: string): Promise<SkillInfo> {
    const former = skillInfo(id, await this.#client.call("workflow:skills:get", { id }));
    const ids = new Set((await this.#client.call("workflow:skills")).items.map((item) => item.id));
    let copy = newId ?? `${id}-copy`;
    for (let n = 2; newId === undefined && ids.has(copy); n += 1) copy = `${id}-copy-${n}`;
    return this.createSkill({ ...former, id: copy, skillCommand: `/${copy}` });
  }

  async providers(): Promise<ProviderInfo[]> {
    const { default: standard, providers } = await this.#client.call("workflow:providers");
    return providers.map(({ name }) => ({ id: name, name, isDefault: name === standard }));
  }
}

const isJson = ({ text }: PartText): boolean => text.trimStart().startsWith("{");

/** A Markdown file in its front matter, with the lines around it, and what follows. */
function split(text: string): { front: string; body: string } {
  const front = /^\uFEFF?---[ \t]*\r?\n(?:[^]*?\n)??---[ \t]*(?:\r?\n|$)/.exec(text)?.[0] ?? "";
  return { front, body: text.slice(front.length) };
}

const textOr = (value: unknown, otherwise: string): string => (typeof value === "string" ? value : otherwise);

function roleInfo(id: string, role: PartText): RoleInfo {
  const front = membersOf(role);
  return { ...front, id, name: textOr(front["name"], id), origin: role.origin, body: split(role.text).body };
}

function skillInfo(id: string, skill: PartText): SkillInfo {
  const members = membersOf(skill);
  return {
    ...members,
    id,
    name: textOr(members["name"], id),
    description: textOr(members["description"], ""),
    category: textOr(members["category"], "utility"),
    skillCommand: textOr(members["skillCommand"], `/${id}`),
    context: textOr(members["context"], "inherit"),
    instructions: isJson(skill) ? textOr(members["instructions"], "") : split(skill.text).body,
    isBuiltIn: members["isBuiltIn"] === true,
  };
}

const skillText = (skill: Members): string => `${JSON.stringify(skill, null, 2)}\n`;

/** The text of a skill that is a Markdown file, with a changed name, description or instructions. */
function markdownText(former: PartText, skill: Partial<SkillInfo>): string {
  const { front, body } = split(former.text);
  const members = membersOf(former);
  const given = Object.entries({ name: skill.name, description: skill.description });
  const changed = given.filter(([key, value]) => value !== undefined && value !== textOr(members[key], key === "name" ? skill.id ?? "" : ""));
  const written = changed.length === 0 ? front : `---\n${yaml({ ...members, ...Object.fromEntries(changed) })}---\n`;
  return written + (skill.instructions ?? body);
}

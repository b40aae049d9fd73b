import { expect, test } from "vitest";

import { isWithin, parentPlace, parseLines, parsePlace, parseQuery, placeWords, writeQuery } from "./address";

test("places are those of the engine", () => {
  expect(parsePlace("2")).toEqual({ iteration: 2, items: [] });
  expect(parsePlace("2/test")).toEqual({ iteration: 2, stage: "test", items: [] });
  expect(parsePlace("2/test[1]")).toEqual({ iteration: 2, stage: "test", lane: 1, items: [] });
  expect(parsePlace("2/test[1]/review[3][0]")).toEqual({
    iteration: 2,
    stage: "test",
    lane: 1,
    node: "review",
    items: [3, 0],
  });
  expect(parsePlace("2/test[1]/fix[3]/check[0]")).toEqual({
    iteration: 2,
    stage: "test",
    lane: 1,
    within: { node: "fix", number: 3 },
    node: "check",
    items: [0],
  });
  for (const wrong of ["2/test[1]/fix/check", "", "test", "2/", "2/test/review", "2/a b", "2/test[x]"])
    expect(parsePlace(wrong)).toBeUndefined();
});

test("a place has parents up to its iteration", () => {
  const places = [];
  for (let at: string | undefined = "2/test[1]/review[3]"; at !== undefined; at = parentPlace(at)) places.push(at);
  expect(places).toEqual(["2/test[1]/review[3]", "2/test[1]/review", "2/test[1]", "2/test", "2"]);
  expect(isWithin("2/test[1]/review", "2/test")).toBe(true);
  expect(isWithin("2/tests", "2/test")).toBe(false);
  expect(isWithin("20", "2")).toBe(false);
});

test("a place is written in words", () => {
  expect(placeWords("1/plan[0]/run", undefined)).toBe("plan");
  const levels = { loop: { maxIters: 2 }, stages: [{ id: "test", lanes: [1, 2] }] };
  expect(placeWords("2/test[1]/review[3]", levels)).toBe("iteration 2 › test › lane 2 › review[3]");
  expect(placeWords("2/test[1]/review[3]", { loop: null, stages: [] })).toBe("test › review[3]");
  expect(placeWords("1/test[0]/fix[2]/check", undefined)).toBe("test › fix[2] › check");
});

test("the query of an address is read and written as it is", () => {
  const query = { at: "2/test[1]", line: "120-140", q: "a b&c" };
  expect(writeQuery({ ...query, kind: undefined, dock: "" })).toBe("?at=2/test[1]&line=120-140&q=a%20b%26c");
  expect(parseQuery(writeQuery(query))).toEqual(query);
  expect(parseQuery("?q=1&n=true")).toEqual({ q: "1", n: "true" });
});

test("lines are numbers of entries", () => {
  expect(parseLines("120-140")).toEqual({ from: 120, to: 140 });
  expect(parseLines("140-120")).toEqual({ from: 120, to: 140 });
  expect(parseLines("120.3")).toEqual({ from: 120, to: 120, line: 3 });
  for (const wrong of [undefined, "", "a", "1-"]) expect(parseLines(wrong)).toBeUndefined();
});

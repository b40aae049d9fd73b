import hooks from "eslint-plugin-react-hooks";
import typescript from "typescript-eslint";

// What would turn a text into markup or code, and what the content security policy of the page forbids.
const markup = ["innerHTML", "outerHTML", "insertAdjacentHTML", "dangerouslySetInnerHTML", "srcdoc"];
const forbidden = markup.flatMap((name) => [
  { selector: `MemberExpression[property.name='${name}']`, message: "Texts are text nodes: no markup from values." },
  { selector: `JSXAttribute[name.name='${name}']`, message: "Texts are text nodes: no markup from values." },
  { selector: `Property[key.name='${name}']`, message: "Texts are text nodes: no markup from values." },
  { selector: `Literal[value='${name}']`, message: "Texts are text nodes: no markup from values." },
]);

export default typescript.config(
  { ignores: ["dist", "node_modules", "eslint.config.js"] },
  ...typescript.configs.strict,
  {
    plugins: { "react-hooks": hooks },
    rules: {
      "react-hooks/rules-of-hooks": "error",
      "react-hooks/exhaustive-deps": "error",
      "no-eval": "error",
      "no-implied-eval": "error",
      "no-new-func": "error",
      "no-restricted-syntax": [
        "error",
        ...forbidden,
        {
          selector: "CallExpression[callee.object.name='document'][callee.property.name=/^write/]",
          message: "The page is made of elements and text nodes.",
        },
        {
          selector: "JSXOpeningElement[name.name=/^(script|style|iframe|object|embed)$/]",
          message: "The content security policy forbids it.",
        },
      ],
      "no-restricted-globals": ["error", "sessionStorage"],
      "@typescript-eslint/no-non-null-assertion": "error",
      "@typescript-eslint/consistent-type-imports": "error",
      eqeqeq: "error",
    },
  },
);

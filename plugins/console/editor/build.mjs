// Build the file of the console's editor, and the file of the licences of all packages in it.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { build } from "esbuild";

const VENDOR = "../adapter_host_console/static/vendor";
const RULE = "-".repeat(78);

const { metafile } = await build({
  entryPoints: ["codemirror.mjs"],
  outfile: `${VENDOR}/codemirror.mjs`,
  bundle: true,
  minify: true,
  format: "esm",
  target: "es2022",
  legalComments: "none",
  metafile: true,
});
const folders = Object.keys(metafile.inputs).map((file) => /^node_modules\/(?:@[^/]+\/)?[^/]+/.exec(file)?.[0]).filter(Boolean);
const licences = [...new Set(folders)].sort().map((folder) => {
  const { name, version } = JSON.parse(readFileSync(`${folder}/package.json`, "utf8"));
  const file = readdirSync(folder).find((each) => /^licen[sc]e/i.test(each));
  return `${name} ${version}\n${RULE}\n\n${readFileSync(`${folder}/${file}`, "utf8").trim()}\n`;
});
writeFileSync(
  `${VENDOR}/codemirror.LICENSES.txt`,
  `codemirror.mjs is made from the packages below by plugins/console/editor/build.mjs.\n\n${licences.join("\n\n")}`,
);

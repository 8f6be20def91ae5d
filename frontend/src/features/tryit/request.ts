/** The body of `/api/analyze`: one text has a name of its own. */
export function request(texts: readonly string[]): { text: string } | { texts: string[] } {
  const [first] = texts;
  return texts.length === 1 && first !== undefined ? { text: first } : { texts: [...texts] };
}

/** What was typed as texts: all of it is one, or each line that is not blank. */
export function textsOf(typed: string, isLineByLine: boolean): string[] {
  const texts = isLineByLine ? typed.split(/\r?\n/) : [typed];
  return texts.filter((text) => text.trim() !== '');
}

/** Where the commands look for a key, so that none is in a shell's history. */
const KEY_VARIABLE = 'UNDERTONE_KEY';

/** For a POSIX shell: in single quotes nothing is special but a single quote. */
export function curlCommand(origin: string, texts: readonly string[], needsKey = false): string {
  const body = JSON.stringify(request(texts)).replaceAll("'", `'\\''`);
  const key = needsKey ? `  -H "Authorization: Bearer $${KEY_VARIABLE}" \\\n` : '';
  return `curl ${origin}/api/analyze \\\n${key}  -H 'Content-Type: application/json' \\\n  -d '${body}'`;
}

/** With nothing but the standard library. */
export function pythonProgram(origin: string, texts: readonly string[], needsKey = false): string {
  // A JSON string of ASCII is a Python string as well, except for the pairs that stand for one code point.
  const literal = (text: string) =>
    JSON.stringify(text).replace(/[\u{10000}-\u{10ffff}]|[^\0-\u{7f}]/gu, escaped);
  const value =
    texts.length === 1
      ? `{"text": ${literal(texts[0] ?? '')}}`
      : `{"texts": [${texts.map(literal).join(', ')}]}`;
  const key = needsKey ? `, "Authorization": "Bearer " + os.environ["${KEY_VARIABLE}"]` : '';
  return `import json
${needsKey ? 'import os\n' : ''}import urllib.request

request = urllib.request.Request(
    "${origin}/api/analyze",
    data=json.dumps(${value}).encode(),
    headers={"Content-Type": "application/json"${key}},
)
with urllib.request.urlopen(request) as response:
    print(json.load(response))
`;
}

function escaped(character: string): string {
  const code = character.codePointAt(0) ?? 0;
  return code > 0xffff
    ? `\\U${code.toString(16).padStart(8, '0')}`
    : `\\u${code.toString(16).padStart(4, '0')}`;
}

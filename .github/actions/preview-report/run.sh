#!/usr/bin/env bash
# The action's one step: report, comment, gates. Everything comes from the environment that action.yml sets.
set -euo pipefail

report="${RUNNER_TEMP:-/tmp}/preview-report-$$.md"
arguments=(--format markdown --output "$report" --max-chars "${INPUT_MAX_CHARS:-60000}")
if [ -n "${INPUT_FAIL_ON:-}" ]; then arguments+=(--fail-on "$INPUT_FAIL_ON"); fi
if [ -n "${INPUT_WAIVERS:-}" ]; then arguments+=(--waivers "$INPUT_WAIVERS"); fi
if [ "${INPUT_COMMENT:-true}" = true ]; then
  arguments+=(--github-comment --comment-author "${INPUT_COMMENT_AUTHOR:-github-actions[bot]}")
  if [ -n "${INPUT_COMMENT_KEY:-}" ]; then arguments+=(--comment-key "$INPUT_COMMENT_KEY"); fi
fi
if [ -n "${GITHUB_OUTPUT:-}" ]; then printf 'report=%s\n' "$report" >>"$GITHUB_OUTPUT"; fi
exec node "$ACTION_PATH/preview-report.mjs" "${arguments[@]}" -- "$INPUT_FILE"

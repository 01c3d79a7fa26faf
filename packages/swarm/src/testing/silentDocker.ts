/** A Docker that takes requests and never answers, for tests whose programs are in the directory `$FAKE`. */

/** First lines of a test's `docker`: requests that fit the expression in the file `hangs` get no answer, and it minds no signal. */
export const hangs = `if [ -s "$FAKE/hangs" ] && printf '%s\\n' "$*" | grep -Eqf "$FAKE/hangs"; then trap '' TERM; exec /bin/sleep 60; fi`;

/** A test's `timeout`, which writes down the seconds that it is told: those of a request that hangs pass at once, by `lateDate`. */
export const shortTimeout = `[ "$1 $3" = '--kill-after=5 docker' ] || exit 98
seconds=$2
echo "$seconds" >>"$FAKE/bounds"
shift 2
if [ -s "$FAKE/hangs" ] && printf '%s\\n' "$*" | sed 's/^docker //' | grep -Eqf "$FAKE/hangs"; then
  echo "$seconds" >>"$FAKE/hung"
  seconds=0.2
fi
exec /usr/bin/timeout --kill-after=0.1 "$seconds" "$@"`;

/** A test's `date`, for `+%s` alone. `now`: shell that prints the time to begin with. */
export const lateDate = (now = "/bin/date +%s") => `now=$(${now})
if [ -e "$FAKE/hung" ]; then awk -v now="$now" '{ now += $1 } END { print now }' "$FAKE/hung"; else echo "$now"; fi`;

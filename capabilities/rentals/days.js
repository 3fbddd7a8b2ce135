// Days as text, 2026-06-29, which compare as the days do.
function daysFrom(begin, count) {
  const days = [];
  const day = new Date(`${begin}T00:00:00Z`);
  for (let i = 0; i < count; i++) {
    days.push(day.toISOString().slice(0, 10));
    day.setUTCDate(day.getUTCDate() + 1);
  }
  return days;
}

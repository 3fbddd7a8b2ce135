const { rates } = context["get-boat"];

function priceOf(date) {
  const rate = rates.find((rate) => rate.from <= date && date <= rate.to);
  if (!rate) throw new Error(`the boat is not let on ${date}`);
  return rate.perDay;
}

const days = daysFrom(context.begin, context.days).map((date) => ({ date, price: priceOf(date) }));
result = { total: days.reduce((sum, day) => sum + day.price, 0), days };

from datetime import date


def nights(booking):
    return (date.fromisoformat(booking["end"]) - date.fromisoformat(booking["begin"])).days


bookings = context["list-bookings"]
guests = [booking["guests"] for booking in bookings]
result = {
    "bookings": len(bookings),
    "nights": sum(nights(booking) for booking in bookings),
    "guests": round(sum(guests) / len(guests), 1) if guests else None,
}

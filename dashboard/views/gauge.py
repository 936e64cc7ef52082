"""Two gauges that follow a measurement: frames a second and milliseconds a picture."""

from __future__ import annotations

from dashboard.views import View


class GaugeView(View):
    """What is being measured right now, as gauges with the last readings beneath.

    The value is ``{"on": whether something is being measured, "key": what (the readings start anew when it changes),
    "name": for people, "fps": number or None, "latency_ms": number or None}``; readings are kept in the browser. With
    ``"ended": True`` the numbers are what was found in the end: the best throughput and the median latency. A gauge's
    end is the next 1, 2 or 5 times a power of ten above the largest number so far, so that it moves little and never
    back.
    """

    name = "gauge"

"""Tracking: CLEAR, identity and HOTA families as TrackEval defines them, and the story behind them frame by frame."""

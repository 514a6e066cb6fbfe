"""What programs of others use: tokens of their own, enrolment, the scoped API, the card of a dashboard."""

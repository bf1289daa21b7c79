from notifications.events import EventData, event


@event("payment_successful", subject="customer/{customer_id}", topic="announcements")
class PaymentSuccessful(EventData):
    customer_id: int

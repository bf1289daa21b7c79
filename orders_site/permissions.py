"""What the three groups of `notifications.permissions` may do in the shop itself.

Everybody sees all of it, customers with names and addresses masked. Parcels are an operator's;
what moves money or stock, and who may use the API, an administrator's.
"""

from __future__ import annotations

from notifications.permissions import ADMINISTRATOR, OPERATOR, READER, grant

grant(
    READER,
    *("orders.view_order", "orders.view_orderline", "orders.view_refund", "orders.view_product"),
    *("payments.view_payment", "payments.view_paymentrefund"),
    *("inventory.view_stockitem", "inventory.view_reservation", "inventory.view_reservationline"),
    *("analytics.view_recordedevent", "analytics.view_dailyfigures"),
    *("analytics.view_dailymoney", "analytics.view_dailyoutcome"),
    *("customers.view_customer", "customers.view_device", "api.view_apiclient"),
)
grant(OPERATOR, "orders.ship_order")
grant(
    ADMINISTRATOR,
    *("orders.cancel_order", "orders.refund_order"),
    *("orders.add_product", "orders.change_product"),
    *("inventory.add_stockitem", "inventory.change_stockitem"),
    *("customers.add_customer", "customers.change_customer"),
    *("customers.add_device", "customers.change_device", "customers.delete_device"),
    *("api.add_apiclient", "api.revoke_apiclient", "api.allow_announcing"),
)

-- How many days, weeks and months orders have. Without these statistics the planner takes every moment for a group of its
-- own and sorts all items where a hash table of a few months would do: 1.5 to 1.9 times the time of a monthly revenue.
-- One expression each, because an object of several also counts their combinations. ANALYZE fills them.
CREATE STATISTICS retail.orders_by_date ON (order_date::date) FROM retail.orders;
CREATE STATISTICS retail.orders_by_day ON date_trunc('day', order_date) FROM retail.orders;
CREATE STATISTICS retail.orders_by_week ON date_trunc('week', order_date) FROM retail.orders;
CREATE STATISTICS retail.orders_by_month ON date_trunc('month', order_date) FROM retail.orders;
CREATE STATISTICS retail.orders_by_first_of_month ON (date_trunc('month', order_date)::date) FROM retail.orders;
CREATE STATISTICS retail.orders_by_month_text ON to_char(order_date, 'YYYY-MM') FROM retail.orders;
CREATE STATISTICS retail.orders_by_quarter ON date_trunc('quarter', order_date) FROM retail.orders;
CREATE STATISTICS retail.orders_by_year ON date_trunc('year', order_date) FROM retail.orders;
CREATE STATISTICS retail.orders_by_year_number ON extract(year FROM order_date) FROM retail.orders;
CREATE STATISTICS retail.orders_by_month_number ON extract(month FROM order_date) FROM retail.orders;
CREATE STATISTICS retail.orders_by_weekday ON extract(dow FROM order_date) FROM retail.orders;
CREATE STATISTICS retail.orders_by_hour ON extract(hour FROM order_date) FROM retail.orders;

ANALYZE retail.orders;

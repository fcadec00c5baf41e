"""The demonstration bank: its export, phone, staff page and payment sandbox. Refuses production."""

"""What outsiders produce to Kafka themselves, admitted as the API admits it."""

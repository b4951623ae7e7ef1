#include "sinks/kafka_held.hpp"

namespace pgcourier::sinks {

void KafkaHeld::push(KafkaTopic& topic, const KafkaRecord& record,
                     cdc::TransactionNumber transaction) {
  Stored stored;
  stored.item.topic = &topic;
  stored.item.record = record;
  stored.item.transaction = transaction;
  stored.key_size = record.key.size();
  stored.value_size = record.value.size();
  bytes_ += record.key;
  bytes_ += record.value;
  items_.push_back(stored);
}

void KafkaHeld::push_end(protocol::Lsn end_lsn) {
  Stored stored;
  stored.item.end_lsn = end_lsn;
  items_.push_back(stored);
}

KafkaHeld::Item KafkaHeld::front() const {
  const Stored& stored = items_.front();
  Item item = stored.item;
  const std::string_view bytes = std::string_view(bytes_).substr(first_);
  item.record.key = bytes.substr(0, stored.key_size);
  item.record.value = bytes.substr(stored.key_size, stored.value_size);
  return item;
}

void KafkaHeld::pop() {
  first_ += items_.front().key_size + items_.front().value_size;
  items_.pop_front();
  // Each byte is moved once, if at all.
  if (first_ < bytes_.size() / 2) return;
  bytes_.erase(0, first_);
  first_ = 0;
}

}  // namespace pgcourier::sinks

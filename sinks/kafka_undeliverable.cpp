#include "sinks/kafka_undeliverable.hpp"

#include <utility>

namespace pgcourier::sinks {

using cdc::SinkFailure;
using config::Undeliverable;

KafkaUndeliverable::KafkaUndeliverable(const config::KafkaSettings& settings, KafkaMemory& memory,
                                       KafkaProducer& producer)
    : settings_(settings), memory_(memory), producer_(producer) {}

std::string KafkaUndeliverable::problem_of(const KafkaTopic& topic,
                                           const KafkaRecord& record) const {
  if (!memory_.refused.empty() &&
      memory_.refused.contains(fingerprint(topic.name, record.key, record.value))) {
    return "a broker refuses it";
  }
  return producer_.size_problem(topic, record);
}

KafkaTopic* KafkaUndeliverable::divert(const KafkaTopic& topic, const std::string& problem,
                                       protocol::Lsn commit_lsn, KafkaRecord& record,
                                       std::optional<DeadLetter::Raw> raw) {
  const std::string commit = protocol::to_string(commit_lsn);
  const std::string what = describe(topic) + ", commit " + commit + ": " + problem;
  if (settings_.undeliverable == Undeliverable::stop) {
    throw kafka_error(settings_, SinkFailure::undeliverable, what);
  }
  ++diverted_;
  if (settings_.undeliverable == Undeliverable::skip) {
    warnings_.push_back("skipped (undeliverable: skip): " + what);
    return nullptr;
  }
  record.dead_letter = std::make_shared<const DeadLetter>(
      DeadLetter{problem, topic.name, topic.schema, topic.table, commit, std::move(raw)});
  record.timestamp_ms = 0;
  record.partition = by_partitioner;
  if (const auto too_large = producer_.size_problem(*dead_letters_, record); !too_large.empty()) {
    throw kafka_error(settings_, SinkFailure::undeliverable,
                      what + "; nor does " + describe(*dead_letters_) + " take it: " + too_large);
  }
  warnings_.push_back("written to " + dead_letters_->name + ": " + what);
  return dead_letters_;
}

std::vector<std::string> KafkaUndeliverable::take_warnings() {
  return std::exchange(warnings_, {});
}

}  // namespace pgcourier::sinks

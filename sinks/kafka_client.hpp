// Clients of librdkafka as pgcourier wants them: settings, and errors in words (delivery.md 13).
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "cdc/sink.hpp"
#include "config/settings.hpp"
#include "sinks/kafka_handles.hpp"

namespace pgcourier::sinks {

// What make_kafka_client starts from. Opens nothing. Throws SinkError{settings} for a property that
// librdkafka doesn't know or whose value it refuses.
ConfHandle make_kafka_conf(rd_kafka_type_t type, const config::KafkaSettings& settings,
                           const std::string& client_id);

// By name.
using KafkaProperties = std::map<std::string, std::string>;

// A producer that never gives up a record, or a consumer for the bookmark. `own` properties count
// more than the user's. Prints nothing; errors
// and delivery reports arrive as events on the main queue. Throws SinkError{settings} for what
// librdkafka doesn't know or refuses.
ClientHandle make_kafka_client(rd_kafka_type_t type, const config::KafkaSettings& settings,
                               const std::string& client_id, const KafkaProperties& own = {});

// librdkafka gives every property and every setting of a broker as text.
std::int64_t to_number(std::string_view text, std::int64_t otherwise = 0);

// "sink kafka: <what>"
cdc::SinkError kafka_error(const config::KafkaSettings& settings, cdc::SinkFailure failure,
                           const std::string& what);

// The errors of one client, newest last; for messages and alarms.
class KafkaTrouble {
 public:
  // REQUIRES: `event` is RD_KAFKA_EVENT_ERROR.
  void note(rd_kafka_event_t* event);
  void clear();

  // The last error that says why; empty: none.
  const std::string& text() const { return text_; }
  bool all_brokers_down() const { return all_brokers_down_; }
  // What no waiting mends, in our words; empty: nothing of the kind.
  const std::string& refused() const { return refused_; }

 private:
  std::string text_;
  bool all_brokers_down_ = false;
  std::string refused_;
};

}  // namespace pgcourier::sinks

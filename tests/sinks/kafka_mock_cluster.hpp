// librdkafka's mock cluster of one broker with the topics of a pipeline named shop. It knows
// neither CreateTopics nor DescribeConfigs.
#pragma once

#include <librdkafka/rdkafka.h>
// Must come after rdkafka.h.
#include <librdkafka/rdkafka_mock.h>

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "sinks/kafka_handles.hpp"

namespace pgcourier::tests {

class KafkaMockCluster {
 public:
  static constexpr std::int32_t partitions = 4;

  KafkaMockCluster() {
    rd_kafka_conf_t* conf = rd_kafka_conf_new();
    rd_kafka_conf_set(conf, "test.mock.num.brokers", "1", nullptr, 0);
    rd_kafka_conf_set(conf, "log_level", "0", nullptr, 0);
    client_.reset(rd_kafka_new(RD_KAFKA_PRODUCER, conf, nullptr, 0));
    cluster_ = rd_kafka_handle_mock_cluster(client_.get());
    add_topic("shop.__position", 1);
    for (const char* topic : {"shop.message", "shop.transaction", "shop.public.orders"}) {
      add_topic(topic);
    }
  }

  void add_topic(const char* name, std::int32_t count = partitions) {
    rd_kafka_mock_topic_create(cluster_, name, count, 1);
  }

  std::string brokers() const { return rd_kafka_mock_cluster_bootstraps(cluster_); }

  // Of every request from now on.
  void set_round_trip(std::chrono::milliseconds time) {
    rd_kafka_mock_broker_set_rtt(cluster_, 1, static_cast<int>(time.count()));
  }

  // `request`: the key of Kafka's protocol.
  void next_requests_fail_with(std::int16_t request,
                               const std::vector<rd_kafka_resp_err_t>& errors) {
    rd_kafka_mock_push_request_errors_array(cluster_, request, errors.size(), errors.data());
  }

 private:
  sinks::ClientHandle client_;
  rd_kafka_mock_cluster_t* cluster_ = nullptr;  // the client's
};

}  // namespace pgcourier::tests

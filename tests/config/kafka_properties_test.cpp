#include "config/kafka_properties.hpp"

#include <gtest/gtest.h>

namespace pgcourier::config {
namespace {

TEST(KafkaProperties, RefusesWhatWouldBreakDeliveryWithTheReason) {
  for (const char* name : {"acks",
                           "request.required.acks",
                           "enable.idempotence",
                           "message.timeout.ms",
                           "delivery.timeout.ms",
                           "transactional.id",
                           "partitioner",
                           "partitioner_cb",
                           "queue.buffering.max.messages",
                           "queue.buffering.max.kbytes",
                           "queue.buffering.backpressure.threshold",
                           "delivery.report.only.error",
                           "dr_cb",
                           "dr_msg_cb",
                           "retries",
                           "message.send.max.retries",
                           "enable.gapless.guarantee",
                           "bootstrap.servers",
                           "metadata.broker.list",
                           "error_cb",
                           "oauthbearer_token_refresh_cb",
                           "queuing.strategy",
                           "test.mock.num.brokers"}) {
    EXPECT_TRUE(refused_kafka_property(name, "1")) << name;
  }
  EXPECT_EQ(*refused_kafka_property("acks", "1"),
            "only acks=all, which is always set, makes an acknowledged record safe to confirm");
  EXPECT_EQ(
      *refused_kafka_property("message.timeout.ms", "5000"),
      "a record that times out would be lost: it is always 0, and a stall is reported instead");
}

TEST(KafkaProperties, TakesAtMostFiveRequestsInFlight) {
  for (const char* name : {"max.in.flight", "max.in.flight.requests.per.connection"}) {
    EXPECT_FALSE(refused_kafka_property(name, "5")) << name;
    EXPECT_FALSE(refused_kafka_property(name, "1")) << name;
    for (const char* value : {"6", "0", "-1", "1000000", "", "5x", "99999999999"}) {
      EXPECT_TRUE(refused_kafka_property(name, value)) << name << "=" << value;
    }
  }
}

TEST(KafkaProperties, LeavesTheOthersToTheUser) {
  for (const char* name : {"security.protocol", "sasl.username", "sasl.password", "linger.ms",
                           "queue.buffering.max.ms", "compression.type", "batch.size", "client.id",
                           "ssl.ca.location", "message.max.bytes", "request.timeout.ms"}) {
    EXPECT_FALSE(refused_kafka_property(name, "1")) << name;
  }
}

TEST(KafkaProperties, KnowsWhichValuesAreSecrets) {
  for (const char* name : {"sasl.password", "ssl.key.password", "ssl.keystore.password",
                           "ssl.key.pem", "sasl.oauthbearer.client.secret", "sasl.jaas.config",
                           "SASL.PASSWORD", "sasl.oauthbearer.config"}) {
    EXPECT_TRUE(is_secret_kafka_property(name)) << name;
  }
  EXPECT_FALSE(is_secret_kafka_property("sasl.username"));
  EXPECT_FALSE(is_secret_kafka_property("linger.ms"));
}

}  // namespace
}  // namespace pgcourier::config

// Somebody between us and an honest server, who spoils the records of TLS: none of it is taken for
// the server's.
#include <gtest/gtest.h>

#include <algorithm>
#include <utility>

#include "tests/replication/hostile_suite.hpp"

namespace pgcourier::replication {
namespace {

using namespace std::string_literals;

using test::End;

constexpr auto records = test::Sabotage::Of::records;

class HostileTls : public test::HostileSuite {
 protected:
  void SetUp() override {
    records_ = test::honest_units(GetParam(), records);
    ASSERT_GT(records_.size(), 3u);
  }

  template <typename Spoil>
  void each_record(const Spoil& spoil_it) const {
    for (std::size_t i = 0; i < records_.size(); ++i) spoil_it(i, records_[i]);
  }

  std::vector<std::string> records_;
};

INSTANTIATE_TEST_SUITE_P(Each, HostileTls, testing::ValuesIn(test::encrypted_dialogues()),
                         test::name_of);

TEST_P(HostileTls, EndsWithinEachRecord) {
  each_record([&](std::size_t number, const std::string& record) {
    for (const std::size_t within : {std::size_t{0}, std::size_t{1}, test::record_header_bytes,
                                     record.size() / 2, record.size() - 1}) {
      cut(records, number, within, End::close);
      cut(records, number, within, End::reset);
    }
    cut(records, number, record.size() / 2, End::stall);
  });
}

TEST_P(HostileTls, LosesRepeatsAndSwapsRecords) {
  each_record([&](std::size_t number, const std::string&) {
    spoil(records, number, "loss", [](const std::string&) { return ""s; });
    spoil(records, number, "repetition", [](const std::string& record) { return record + record; });
    if (number + 1 < records_.size()) swap(records, number);
  });
}

TEST_P(HostileTls, ReplaysEarlierRecords) {
  each_record([&](std::size_t number, const std::string&) {
    for (std::size_t earlier = 0; earlier < number; ++earlier) {
      test::Sabotage sabotage{
          .name = "record " + std::to_string(earlier) + " instead of " + std::to_string(number),
          .of = records};
      sabotage.change = [=, kept = ""s](std::size_t at, const std::string& record) mutable {
        if (at == earlier) kept = record;
        return at == number ? kept : record;
      };
      expect_clear_end(std::move(sabotage));
    }
  });
}

TEST_P(HostileTls, ChangesBytes) {
  each_record([&](std::size_t number, const std::string& record) {
    for (const std::size_t at :
         {std::size_t{0}, std::size_t{1}, std::size_t{2}, std::size_t{3}, std::size_t{4},
          test::record_header_bytes, record.size() / 2, record.size() - 1}) {
      for (const int mask : {0x01, 0x80}) {
        spoil(records, number, "byte " + std::to_string(at) + " xor " + std::to_string(mask),
              [=](std::string changed) {
                // Signatures make some records a byte shorter or longer.
                char& byte = changed[std::min(at, changed.size() - 1)];
                byte = static_cast<char>(byte ^ mask);
                return changed;
              });
      }
    }
  });
}

TEST_P(HostileTls, ShortensAndLengthensRecords) {
  const auto with_body = [](const std::string& record, const std::string& body) {
    return record.substr(0, 3) + static_cast<char>(body.size() >> 8) +
           static_cast<char>(body.size()) + body;
  };
  each_record([&](std::size_t number, const std::string&) {
    spoil(records, number, "shorter body", [=](const std::string& record) {
      return with_body(record, record.substr(5, record.size() - 6));
    });
    spoil(records, number, "empty body",
          [=](const std::string& record) { return with_body(record, ""); });
    spoil(records, number, "longer body",
          [=](const std::string& record) { return with_body(record, record.substr(5) + "more"); });
  });
}

TEST_P(HostileTls, PutsInWhatTheServerDidNotSay) {
  const std::vector<std::pair<std::string, std::string>> put_in = {
      {"a message in clear", test::welcome()},
      {"data in clear", "\x17\x03\x03\0\x05hello"s},
      {"a goodbye in clear", "\x15\x03\x03\0\2\1\0"s},
      {"a fatal alert in clear", "\x15\x03\x03\0\2\2\x28"s},
      {"an empty record", "\x17\x03\x03\0\0"s},
      {"the longest record", "\x17\x03\x03\xff\xff"s + std::string(0xffff, 'x')},
  };
  each_record([&](std::size_t number, const std::string&) {
    for (const auto& [name, bytes] : put_in) {
      spoil(records, number, name + " in front",
            [bytes = bytes](const std::string& record) { return bytes + record; });
    }
  });
}

}  // namespace
}  // namespace pgcourier::replication

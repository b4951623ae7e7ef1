#include "sinks/kafka_memory.hpp"

#include <functional>

namespace pgcourier::sinks {

std::uint64_t fingerprint(std::string_view topic, std::string_view key, std::string_view value) {
  const std::hash<std::string_view> hash;
  // boost::hash_combine's mixing
  std::uint64_t print = hash(topic);
  for (const auto part : {hash(key), hash(value)}) {
    print ^= part + 0x9e3779b97f4a7c15 + (print << 6) + (print >> 2);
  }
  return print;
}

}  // namespace pgcourier::sinks

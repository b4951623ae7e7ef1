#include "protocol/sasl_prep.hpp"

#include <openssl/crypto.h>
#include <stringprep.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <vector>

namespace pgcourier::protocol {
namespace {

// U+FDFA, the worst: 3 bytes become 33 in NFKC.
constexpr std::size_t most_growth = 11;

bool is_ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

// Unicode's Corrigendum 4: what libidn's tables, of Unicode 3.2, still normalize wrongly.
constexpr auto corrigendum_4 = std::to_array<Stringprep_table_element>({
    {.start = 0x2F868, .end = 0x2F868, .map = {0x36FC}},
    {.start = 0x2F874, .end = 0x2F874, .map = {0x5F53}},
    {.start = 0x2F91F, .end = 0x2F91F, .map = {0x243AB}},
    {.start = 0x2F95F, .end = 0x2F95F, .map = {0x7AEE}},
    {.start = 0x2F9BF, .end = 0x2F9BF, .map = {0x45D7}},
});

// libidn's profile, but normalized last: PostgreSQL checks the code points as they were before,
// where RFC 3454 would check those that come out.
std::vector<Stringprep_profile> make_profile() {
  std::vector<Stringprep_profile> steps;
  for (const Stringprep_profile* step = stringprep_saslprep; step->operation != 0; ++step) {
    if (step->operation != STRINGPREP_NFKC) steps.push_back(*step);
  }
  steps.push_back({.operation = STRINGPREP_MAP_TABLE,
                   .table = corrigendum_4.data(),
                   .table_size = corrigendum_4.size()});
  steps.push_back({.operation = STRINGPREP_NFKC});
  steps.push_back({});
  return steps;
}

}  // namespace

std::string sasl_prep(std::string_view password) {
  // A zero byte would end the text for libidn.
  if (is_ascii(password) || password.find('\0') != std::string_view::npos) {
    return std::string(password);
  }
  static const std::vector<Stringprep_profile> profile = make_profile();
  std::string prepared(password);
  prepared.resize(password.size() * most_growth + 1);
  const int outcome =
      stringprep(prepared.data(), prepared.size(), STRINGPREP_NO_UNASSIGNED, profile.data());
  const std::size_t size = std::strlen(prepared.c_str());
  if (outcome != STRINGPREP_OK || size == 0) {
    OPENSSL_cleanse(prepared.data(), prepared.size());
    return std::string(password);
  }
  prepared.resize(size);
  return prepared;
}

}  // namespace pgcourier::protocol

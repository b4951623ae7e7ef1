#include "tests/replication/hostile_judge.hpp"

#include <algorithm>
#include <regex>

namespace pgcourier::replication::test {
namespace {

// Bodies of the same form: what one of them says, another one can say.
const std::vector<std::string> same_form = {"123nsIc", "GHW", "EN"};

std::uint32_t number_at(const std::string& bytes, std::size_t at) {
  return boost::endian::endian_load<std::uint32_t, 4, boost::endian::order::big>(
      reinterpret_cast<const unsigned char*>(bytes.data() + at));
}

std::string token_of(const std::string& message, bool of_walsender) {
  std::string token(1, message[0]);
  if (message[0] == 'R' && message.size() >= 9) token += std::to_string(number_at(message, 5));
  if (message[0] == 'd' && of_walsender && message.size() > 5) token += message[5];
  return token;
}

bool is_honest(const std::string& message, const Said& said) {
  return said.meant.contains(message) || said.replayed.contains(message);
}

bool has_honest_body(const std::string& message, const Said& said) {
  if (is_honest(message, said)) return true;
  return std::any_of(same_form.begin(), same_form.end(), [&](const std::string& types) {
    return types.find(message[0]) != std::string::npos &&
           std::any_of(types.begin(), types.end(),
                       [&](char type) { return is_honest(type + message.substr(1), said); });
  });
}

// A proof is good for the exchange that it was made in.
bool is_proof(const std::string& token) { return token == "R11" || token == "R12"; }

}  // namespace

bool may_be_good(const Dialogue& dialogue, const Said& said) {
  const std::regex good(dialogue.good);
  std::string tokens;
  std::vector<std::string> messages;
  bool let_in = false;
  std::size_t at = 0;
  for (;;) {
    if (at == said.tls_at) tokens += "tls ";
    if (std::regex_match(tokens, good) && (!dialogue.whole || dialogue.whole(messages)))
      return true;
    if (at < dialogue.bytes_in_clear && at < said.bytes.size()) {
      tokens += said.bytes.substr(at++, 1) + "! ";
      continue;
    }
    if (said.bytes.size() < at + 5) return false;
    const std::size_t size = std::size_t{1} + number_at(said.bytes, at + 1);
    if (size < 5 || said.bytes.size() - at < size) return false;
    const std::string message = said.bytes.substr(at, size);
    at += size;
    const std::string token = token_of(message, dialogue.purpose != Purpose::sql);
    const bool of_anybody = std::find(dialogue.any_body.begin(), dialogue.any_body.end(), token) !=
                            dialogue.any_body.end();
    if (is_proof(token) && !said.meant.contains(message)) return false;
    if (!of_anybody && !has_honest_body(message, said)) return false;
    messages.push_back(message);
    let_in = let_in || token == "R0";
    const bool at_any_time = token == "N" || ((token == "S" || token == "A") && let_in);
    if (!at_any_time) tokens += token + ' ';
  }
}

}  // namespace pgcourier::replication::test

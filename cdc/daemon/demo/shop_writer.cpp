#include "cdc/daemon/demo/shop_writer.hpp"

#include <array>
#include <string>

namespace pgcourier::cdc::daemon {

namespace {

constexpr const char* schema = R"(
  CREATE TABLE public.customers (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL, email text, tags text[],
    joined timestamptz NOT NULL DEFAULT now());
  CREATE TYPE public.order_state AS ENUM ('new', 'paid', 'shipped');
  CREATE TABLE public.orders (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    customer_id bigint NOT NULL REFERENCES public.customers ON DELETE CASCADE,
    state public.order_state NOT NULL DEFAULT 'new', total numeric(10,2) NOT NULL, details jsonb);
  CREATE TABLE public.order_lines (
    order_id bigint REFERENCES public.orders ON DELETE CASCADE, line int, article text NOT NULL,
    price numeric(10,2) NOT NULL, PRIMARY KEY (order_id, line));
  CREATE PUBLICATION shop FOR ALL TABLES)";

constexpr std::array names{"Ada",    "Grace",   "Edsger", "Barbara",
                           "Donald", "Frances", "Tony",   "Radia"};
constexpr std::array articles{"teapot", "lantern", "atlas", "kite", "compass", "abacus"};

}  // namespace

boost::asio::awaitable<void> ShopWriter::make_schema() { co_await sql_.query(schema); }

boost::asio::awaitable<void> ShopWriter::write_some() {
  const auto pick = [this](std::size_t count) { return random_() % count; };
  const std::string name = names[pick(names.size())];
  const std::string article = articles[pick(articles.size())];
  const std::string price = std::to_string(5 + pick(90)) + "." + std::to_string(10 + pick(90));
  const auto step = round_++ % 8;
  std::string statement;
  if (step == 0 || step == 3) {
    statement = "INSERT INTO public.customers (name, email, tags) VALUES ('" + name + "', lower('" +
                name + "') || '@example.com', ARRAY['new', '" + article + "'])";
  } else if (step == 6) {
    statement =
        "UPDATE public.orders SET state = 'paid', details = details || '{\"paid\": true}'"
        " WHERE id = (SELECT max(id) FROM public.orders)";
  } else if (step == 7 && round_ % 24 == 0) {
    statement = "DELETE FROM public.customers WHERE id = (SELECT min(id) FROM public.customers)";
  } else {
    statement =
        "WITH placed AS (INSERT INTO public.orders (customer_id, total, details)"
        " SELECT max(id), " +
        price +
        ", '{\"gift\": false}' FROM public.customers"
        " RETURNING id) INSERT INTO public.order_lines SELECT id, 1, '" +
        article + "', " + price + " FROM placed";
  }
  co_await sql_.query(statement);
}

}  // namespace pgcourier::cdc::daemon

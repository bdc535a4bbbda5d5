-- What a traveller pays with: Stripe's token and the billing details, both encrypted with the payment key.
create table public.payment_methods (
    id uuid primary key default gen_random_uuid(),
    user_id uuid not null default auth.uid(),
    stripe_payment_method_ciphertext text not null,
    details_ciphertext text,
    brand text,
    last4 char(4) check (last4 ~ '^[0-9]{4}$'),
    exp_month int check (exp_month between 1 and 12),
    exp_year int check (exp_year between 2000 and 2100),
    key_alias text not null,
    created_at timestamptz not null default now()
);

create index payment_methods_user_id on public.payment_methods (user_id);

alter table public.payment_methods enable row level security;

create policy "owners see their payment methods" on public.payment_methods
    for select to authenticated using (user_id = (select auth.uid()));

create policy "owners add payment methods" on public.payment_methods
    for insert to authenticated with check (user_id = (select auth.uid()));

create policy "owners remove their payment methods" on public.payment_methods
    for delete to authenticated using (user_id = (select auth.uid()));

revoke all on public.payment_methods from anon, authenticated;
grant select on public.payment_methods to anon;
grant select, insert, delete on public.payment_methods to authenticated;
grant all on public.payment_methods to service_role;

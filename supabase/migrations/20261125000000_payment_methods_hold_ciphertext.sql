-- An owner may insert through the REST API, without the function in between: no column takes free text there either.
-- Of a ciphertext the database can tell the form: `pf1.<wrapped data key>.<nonce>.<ciphertext>` in base64url, with a
-- nonce of 12 bytes, and a tag of 16 bytes behind at least one of text.
-- Not valid: every new row is checked, none of before, since no user's row may stop a migration.
alter table public.payment_methods
    add constraint payment_methods_hold_ciphertext check (
        stripe_payment_method_ciphertext ~ '^pf1\.[A-Za-z0-9_-]{80,}\.[A-Za-z0-9_-]{16}\.[A-Za-z0-9_-]{23,}$'
        and details_ciphertext ~ '^pf1\.[A-Za-z0-9_-]{80,}\.[A-Za-z0-9_-]{16}\.[A-Za-z0-9_-]{23,}$'
    ) not valid,
    add constraint payment_methods_brand_is_stripes check (brand ~ '^[a-z_]{2,20}$') not valid,
    add constraint payment_methods_key_alias_is_an_alias check (key_alias ~ '^alias/[A-Za-z0-9/_-]{1,250}$') not valid;

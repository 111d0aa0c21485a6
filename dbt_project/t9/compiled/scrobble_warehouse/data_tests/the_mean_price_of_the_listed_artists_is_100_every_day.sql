-- Days on which the index of the listed artists is not 100.
select
    value_date,
    avg(fundamental_price) as mean_price

from "new"."marts"."fct_artist_values"

where is_listed

group by value_date

having abs(avg(fundamental_price) - 100) > 1e-9